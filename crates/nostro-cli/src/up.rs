//! `nostro up`: a whole bank on this machine, from nothing.
//!
//! Two PostgreSQL clusters of our own, migrated, with demo customers, the API and the console. A second start on
//! the same data finds everything as it was, also after kill -9: running clusters are adopted, crashed ones are
//! recovered by PostgreSQL, and batches in doubt by the engine.

use crate::config::directory_row;
use crate::demo;
use crate::listen::{Wanted, listen};
use crate::migrate::{connect, make_branch};
use crate::server::{Server, metrics, serve, stop_signal, told};
use anyhow::{Context, ensure};
use clap::Args;
use metrics_exporter_prometheus::PrometheusHandle;
use nostro_api::{ApiKey, Role};
use nostro_commit::Deployment;
use nostro_core::{AccountNumber, BranchCode, BranchNumber};
use nostro_engine::{BranchConfig, Engine, EngineConfig, Limits};
use nostro_local::{Binaries, Cluster, ClusterSpec, DataDir, PortChoice, Start, Stop};
use nostro_store::BranchId;
use nostro_store::migrate::{DirectoryRow, prepare_cluster};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::net::TcpListener;

/// The database of each branch, and the login of the server.
const DATABASE: &str = "nostro";
const LOGIN: &str = "nostro";

/// What `nostro up` takes.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Directory for everything that the bank keeps
    #[arg(long, value_name = "DIR", default_value = ".nostro")]
    data: PathBuf,
    /// Address of the API [default: 127.0.0.1:8000, or the next free port]
    #[arg(long, value_name = "ADDRESS")]
    api: Option<SocketAddr>,
    /// Address of the console [default: 127.0.0.1:3000, or the next free port]
    #[arg(long, value_name = "ADDRESS")]
    console: Option<SocketAddr>,
    /// Ports of the two PostgreSQL servers [default: 5433,5434, or the next free ones]
    #[arg(long, value_name = "AZ,TX", value_delimiter = ',', num_args = 1..=2)]
    pg_ports: Option<Vec<u16>>,
    /// Directory of PostgreSQL's programs (15 or later) [default: the newest that is found]
    #[arg(long, value_name = "DIR", env = "NOSTRO_PG_BIN")]
    pg_bin: Option<PathBuf>,
}

struct Place {
    code: &'static str,
    number: u32,
    name: &'static str,
    time_zone: &'static str,
    port: u16,
}

const PLACES: [Place; 2] = [
    Place { code: "AZ", number: 1, name: "Arizona", time_zone: "America/Phoenix", port: 5433 },
    Place { code: "TX", number: 2, name: "Texas", time_zone: "America/Chicago", port: 5434 },
];

/// Starts, serves until Ctrl-C or SIGTERM, stops everything.
pub(crate) async fn run(args: UpArgs) -> anyhow::Result<ExitCode> {
    if let Some(ports) = &args.pg_ports {
        ensure!(
            matches!(ports.as_slice(), [az, tx] if az != tx),
            "expected two different ports in --pg-ports, such as 5433,5434"
        );
    }
    let mut stop = stop_signal()?;
    let measured = metrics()?;
    let binaries = Binaries::find(args.pg_bin.as_deref())?;
    println!("PostgreSQL {} in {}", binaries.major(), binaries.dir().display());
    let data = DataDir::open(&args.data, binaries)?;
    if let Some(wanted) = data.moved_from() {
        println!("{} cannot be reached by the PostgreSQL user, data is in {}", wanted.display(), data.path().display());
    }
    let suggested = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let api = listen(Wanted::new(args.api, suggested(8000)), "the API", "--api").await?;
    let console = listen(Wanted::new(args.console, suggested(3000)), "the console", "--console").await?;
    let specs: Vec<ClusterSpec> = PLACES.iter().enumerate().map(|(at, place)| spec(place, at, &args)).collect();
    let mut clusters: Vec<Cluster> = specs.into_iter().map(|spec| data.cluster(spec)).collect();
    // Whatever happens from here on, what was started is stopped: starting is not left half-way, and once the bank
    // serves, the server alone listens for the signal, so that it finishes what is in flight.
    let served = match start(&mut clusters, args.pg_ports.as_deref()).await {
        Ok(()) => {
            let ready = tokio::select! {
                ready = set_up(&data, &clusters, &api, &console) => ready.map(Some),
                () = told(&mut stop) => Ok(None),
            };
            match ready {
                Ok(Some((engine, key))) => serve(server(engine, measured, &key, api, console), stop.clone()).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    println!("Stopping the branches.");
    let stopped = tokio::task::spawn_blocking(move || {
        let results: Vec<_> = clusters.iter_mut().map(|cluster| cluster.stop(Stop::Fast)).collect();
        results.into_iter().collect::<Result<(), _>>()
    });
    let stopped = stopped.await.context("the branches were not stopped")?;
    served?;
    stopped?;
    println!("Stopped. `nostro up` starts it again, with nothing lost.");
    Ok(ExitCode::SUCCESS)
}

fn spec(place: &Place, at: usize, args: &UpArgs) -> ClusterSpec {
    let named = args.pg_ports.as_ref().and_then(|ports| ports.get(at).copied());
    let port = named.map_or(PortChoice::From(place.port), PortChoice::Exactly);
    ClusterSpec::branch(&place.code.to_lowercase(), port)
}

/// Migrates, starts the engine, seeds the demo customers and tells where everything is.
async fn set_up(
    data: &DataDir,
    clusters: &[Cluster],
    api: &TcpListener,
    console: &TcpListener,
) -> anyhow::Result<(Engine, String)> {
    let secret = data.secret("deployment-id")?;
    let deployment: Deployment = format!("local-{}", secret.get(..12).unwrap_or(&secret)).parse()?;
    let login_password = data.secret("nostro-password")?;
    let key = data.secret("operator.key")?;
    let branches = branches(clusters, &login_password)?;
    let directory: Vec<DirectoryRow> = branches.iter().map(directory_row).collect();
    for (cluster, branch) in clusters.iter().zip(&branches) {
        prepare(cluster, branch, &deployment, &directory, &login_password)
            .await
            .with_context(|| format!("branch {} was not migrated", branch.branch.code))?;
    }
    let pgpass = data.write_private("pgpass", &pgpass(clusters, &login_password))?;
    let codes: Vec<BranchCode> = branches.iter().map(|branch| branch.branch.code).collect();
    let engine = Engine::start(EngineConfig { deployment, branches, limits: Limits::default() }).await?;
    demo::seed(&engine, codes[0], codes[1]).await?;
    let told = Told { data: data.path(), key: &key, pgpass: &pgpass, clusters, codes: &codes };
    told.tell(api.local_addr()?, console.local_addr()?)?;
    Ok((engine, key))
}

fn server(engine: Engine, metrics: PrometheusHandle, key: &str, api: TcpListener, console: TcpListener) -> Server {
    Server {
        engine,
        metrics,
        keys: vec![ApiKey::new(Role::Operator, key)],
        api,
        console: Some(console),
        api_url: None,
        origins: Vec::new(),
        requests_per_second_max: None,
    }
}

/// Both clusters at once; starting is mostly waiting.
async fn start(clusters: &mut Vec<Cluster>, ports: Option<&[u16]>) -> anyhow::Result<()> {
    println!("Starting the branches.");
    let starting = std::mem::take(clusters).into_iter().map(|mut cluster| {
        tokio::task::spawn_blocking(move || {
            let started = cluster.start();
            (cluster, started)
        })
    });
    let mut results = Vec::new();
    for task in starting.collect::<Vec<_>>() {
        let (cluster, started) = task.await.context("a branch was not started")?;
        clusters.push(cluster);
        results.push(started);
    }
    for ((cluster, started), place) in clusters.iter().zip(results).zip(&PLACES) {
        let how = match started? {
            Start::Created => "created",
            Start::Started => "started",
            Start::Adopted => "was running, adopted",
        };
        println!("Branch {} ({}) {how}, PostgreSQL on port {}", place.code, place.name, cluster.port());
        if ports.is_none() && cluster.port() != place.port {
            println!("  ({} was in use; --pg-ports names other ones)", place.port);
        }
    }
    Ok(())
}

fn branches(clusters: &[Cluster], login_password: &str) -> anyhow::Result<Vec<BranchConfig>> {
    let branch = |(place, cluster): (&Place, &Cluster)| {
        let mut database = tokio_postgres::Config::new();
        database.host(cluster.host()).port(cluster.port()).dbname(DATABASE).user(LOGIN).password(login_password);
        database.application_name("nostro");
        Ok(BranchConfig {
            branch: BranchId { code: place.code.parse()?, number: BranchNumber::new(place.number)? },
            name: place.name.to_owned(),
            time_zone: place.time_zone.to_owned(),
            address: format!("{}:{}", cluster.host(), cluster.port()),
            database,
        })
    };
    PLACES.iter().zip(clusters).map(branch).collect()
}

async fn prepare(
    cluster: &Cluster,
    branch: &BranchConfig,
    deployment: &Deployment,
    directory: &[DirectoryRow],
    login_password: &str,
) -> anyhow::Result<()> {
    let mut admin = tokio_postgres::Config::new();
    admin.host(cluster.host()).port(cluster.port()).user(cluster.superuser()).password(cluster.password());
    admin.dbname("postgres");
    prepare_cluster(&connect(&admin).await?, DATABASE, LOGIN, login_password).await?;
    admin.dbname(DATABASE);
    make_branch(&admin, deployment, branch.branch, directory).await
}

/// For psql: `PGPASSFILE=... psql -h 127.0.0.1 -p 5433 -U postgres nostro`.
fn pgpass(clusters: &[Cluster], login_password: &str) -> String {
    let line = |cluster: &Cluster, user: &str, password: &str| {
        format!("{}:{}:*:{user}:{password}\n", cluster.host(), cluster.port())
    };
    clusters
        .iter()
        .flat_map(|cluster| {
            [line(cluster, cluster.superuser(), cluster.password()), line(cluster, LOGIN, login_password)]
        })
        .collect()
}

/// What the terminal says when all is up.
struct Told<'a> {
    data: &'a Path,
    key: &'a str,
    pgpass: &'a Path,
    clusters: &'a [Cluster],
    codes: &'a [BranchCode],
}

impl Told<'_> {
    fn tell(&self, api: SocketAddr, console: SocketAddr) -> anyhow::Result<()> {
        let key_file = self.data.join("operator.key");
        // The first account of a branch has serial 1042.
        let first = |code: BranchCode| AccountNumber::new(code, 1042);
        let (from, to) = (first(self.codes[0])?, first(self.codes[1])?);
        println!();
        println!("Console  http://{console}/#key={}", self.key);
        println!("API      http://{api}   (OpenAPI at /openapi.json, metrics at /metrics)");
        println!("Key      {}", key_file.display());
        println!("Data     {}", self.data.display());
        println!("\nThree lines to try, in another terminal:\n");
        // As it was called: after `make run` it is not on the PATH.
        let nostro = std::env::args().next().unwrap_or_else(|| "nostro".to_owned());
        let options = if api.port() == 8000 { String::new() } else { format!(" --api http://{api}") };
        let options = format!("{options} --key-file {}", key_file.display());
        println!("  {nostro} account list{options}");
        println!("  {nostro} transfer {from} {to} 1000.00{options}");
        for cluster in self.clusters.iter().take(1) {
            println!(
                "  PGPASSFILE={} psql -h {} -p {} -U {} {DATABASE} -c 'select * from entry'",
                self.pgpass.display(),
                cluster.host(),
                cluster.port(),
                cluster.superuser()
            );
        }
        println!("\nCtrl-C stops everything; nothing is lost.");
        Ok(())
    }
}
