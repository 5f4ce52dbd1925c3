//! The protocol over real databases, without a bank: three parts, each with a table of its own.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use futures_util::FutureExt;
use nostro_commit::driver::{Ended, Progress, Site, commit, resolve};
use nostro_commit::number::Numbers;
use nostro_commit::recovery::{self, Recorded, Sweeper, recover};
use nostro_commit::resolver::Alarm;
use nostro_commit::{Batch, BatchId, Connector, Link, Part, Participants, Verdict, schema};
use nostro_local::TemporaryCluster;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::{Client, NoTls};

const PATIENCE: Duration = Duration::from_secs(5);

struct World {
    /// One for all parts, or one for each.
    clusters: Vec<TemporaryCluster>,
    connector: Connector,
    parts: Vec<Part>,
}

fn part(code: &str) -> Part {
    code.parse().unwrap()
}

async fn connect(cluster: &TemporaryCluster, database: &str) -> Client {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(cluster.port()).user("postgres").password(cluster.password()).dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl World {
    /// Three databases in one cluster: gids are unique in it, and each database lists only its own.
    async fn new() -> Self {
        Self::on(vec![TemporaryCluster::start("parts", &[]).unwrap()]).await
    }

    /// Each in a cluster of its own, where nothing but a commit writes the log.
    async fn apart() -> Self {
        let start = |name| TemporaryCluster::start(name, &[("wal_writer_delay", "10s")]).unwrap();
        Self::on(["az", "nv", "tx"].map(start).into()).await
    }

    async fn on(clusters: Vec<TemporaryCluster>) -> Self {
        let deployment: nostro_commit::Deployment = "test".parse().unwrap();
        let mut connector = Connector::new(deployment);
        let parts: Vec<Part> = ["AZ", "NV", "TX"].map(part).to_vec();
        for cluster in &clusters {
            let admin = connect(cluster, "postgres").await;
            admin.batch_execute(schema::ROLES).await.unwrap();
            admin
                .batch_execute("create role app login password 'secret' in role nostro_commit noinherit")
                .await
                .unwrap();
        }
        for ((number, code), cluster) in (1_u32..).zip(&parts).zip(clusters.iter().cycle()) {
            let database = code.to_string().to_lowercase();
            let admin = connect(cluster, "postgres").await;
            admin.batch_execute(&format!("create database {database} owner nostro_owner")).await.unwrap();
            let there = connect(cluster, &database).await;
            there.batch_execute("set role nostro_owner").await.unwrap();
            there.batch_execute(schema::TABLES).await.unwrap();
            there.batch_execute(schema::RESTORED).await.unwrap();
            there
                .batch_execute("create table written (batch text); grant select, insert on written to nostro_commit")
                .await
                .unwrap();
            let number_there = i32::try_from(number).unwrap();
            there.execute(schema::STAMP, &[&"test", &code.to_string(), &number_there]).await.unwrap();
            let mut config = tokio_postgres::Config::new();
            config.host("127.0.0.1").port(cluster.port()).user("app").password("secret").dbname(&database);
            connector = connector.with_part(*code, number, config);
        }
        Self { clusters, connector, parts }
    }

    async fn database(&self, part: Part) -> Client {
        let mut places = self.parts.iter().zip(self.clusters.iter().cycle());
        let (_, cluster) = places.find(|(other, _)| **other == part).unwrap();
        connect(cluster, &part.to_string().to_lowercase()).await
    }

    async fn batch(&self, number: u64, participants: &[&str]) -> Batch {
        let id = BatchId { home: part("AZ"), incarnation: 1, number };
        Batch { id, participants: Participants::new(id.home, participants.iter().map(|code| part(code))).unwrap() }
    }

    /// An open transaction at a part and the write of its own.
    async fn site(&self, batch: &Batch, at: Part, statement: &str) -> Site {
        let link = self.connector.connect(at).await.unwrap();
        link.client().batch_execute("begin").await.unwrap();
        let (client, statement) = (Arc::clone(link.client()), statement.replace("$batch", &batch.id.to_string()));
        Site { part: at, link, writes: async move { Ok(client.batch_execute(&statement).await?) }.boxed() }
    }

    async fn run(&self, batch: &Batch, statement: impl Fn(Part) -> &'static str) -> (Ended, Progress) {
        let mut sites = Vec::new();
        for at in batch.parts() {
            sites.push(self.site(batch, at, statement(at)).await);
        }
        let (progress, seen) = watch::channel(Progress::Voting);
        let ended = commit(&self.connector, batch.clone(), sites, &progress, PATIENCE).await;
        let last = *seen.borrow();
        (ended, last)
    }

    /// Where the batch's own write is visible.
    async fn written(&self, batch: &Batch) -> Vec<String> {
        let mut found = Vec::new();
        for at in &self.parts {
            let row = self
                .database(*at)
                .await
                .query_one("select count(*) from written where batch = $1", &[&batch.id.to_string()])
                .await
                .unwrap();
            if row.get::<_, i64>(0) > 0 {
                found.push(at.to_string());
            }
        }
        found
    }

    /// What a coordinator has done at a participant when its PREPARE was acknowledged.
    async fn prepare(&self, batch: &Batch, at: Part) {
        let link = self.connector.connect(at).await.unwrap();
        let client = link.client();
        client.batch_execute(&format!("begin; {}", WRITE.replace("$batch", &batch.id.to_string()))).await.unwrap();
        client.batch_execute(&nostro_commit::statement::participate(batch)).await.unwrap();
        let gid = batch.gid(self.connector.deployment(), at);
        client.batch_execute(&nostro_commit::statement::prepare(&gid)).await.unwrap();
    }

    async fn prepared(&self) -> i64 {
        let row = self.database(part("AZ")).await.query_one("select count(*) from pg_prepared_xacts", &[]).await;
        row.unwrap().get(0)
    }
}

const WRITE: &str = "insert into written values ('$batch')";

#[tokio::test]
async fn a_batch_of_one_two_or_three_parts_is_written_everywhere_or_nowhere() {
    let world = World::new().await;
    for (number, participants) in (1..).zip([&[] as &[&str], &["TX"], &["NV", "TX"]]) {
        let batch = world.batch(number, participants).await;
        let (ended, progress) = world.run(&batch, |_| WRITE).await;
        assert_eq!((ended.verdict, progress), (Some(Verdict::Committed), Progress::Ended(Verdict::Committed)));
        assert_eq!(ended.links.len(), participants.len() + 1, "every connection can be used again");
        let expected: Vec<String> = batch.parts().iter().map(ToString::to_string).collect();
        assert_eq!(world.written(&batch).await, expected);
    }
    for (number, failing) in (10..).zip(["AZ", "NV", "TX"]) {
        let batch = world.batch(number, &["NV", "TX"]).await;
        let (ended, _) = world.run(&batch, |at| if at == part(failing) { "select 1 / 0" } else { WRITE }).await;
        assert_eq!(ended.verdict, Some(Verdict::Aborted), "{failing} votes no");
        assert_eq!(ended.refused.len(), 1);
        assert_eq!(ended.refused[0].0, part(failing));
        let error = ended.refused[0].1.as_ref().unwrap();
        assert_eq!(error.code().unwrap().code(), "22012", "the first error is told, not what follows from it");
        assert_eq!(world.written(&batch).await, Vec::<String>::new());
    }
    assert_eq!(world.prepared().await, 0);
}

#[tokio::test]
async fn resolve_gives_every_caller_the_one_verdict() {
    let world = World::new().await;
    // Nobody has decided: the first resolver aborts, and a later decision fails on its row.
    let batch = world.batch(1, &["TX"]).await;
    let gid = batch.gid(world.connector.deployment(), part("TX"));
    let link = world.connector.connect(part("TX")).await.unwrap();
    let prepare = nostro_commit::statement::prepare(&gid);
    let participate = nostro_commit::statement::participate(&batch);
    link.client().batch_execute("begin").await.unwrap();
    link.client().batch_execute(&participate).await.unwrap();
    link.client().batch_execute(&prepare).await.unwrap();
    let (one, two) = tokio::join!(
        resolve(&world.connector, &batch, PATIENCE, |_| {}),
        resolve(&world.connector, &batch, PATIENCE, |_| {})
    );
    for resolution in [one, two] {
        assert_eq!(resolution.verdict, Some(Verdict::Aborted));
        assert!(resolution.finished && resolution.alarms.is_empty(), "{resolution:?}");
    }
    assert_eq!(world.prepared().await, 0);
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute("begin").await.unwrap();
    let late = home.client().batch_execute(&nostro_commit::statement::decide(&batch)).await.unwrap_err();
    assert_eq!(late.code().unwrap().code(), "23505", "a late decision");
    // And a late PREPARE fails on the tombstone.
    link.client().batch_execute("begin").await.unwrap();
    let late = link.client().batch_execute(&participate).await.unwrap_err();
    assert_eq!(late.code().unwrap().code(), "23505", "a late marker");
    let late = link.client().batch_execute(&prepare).await.unwrap_err();
    assert_eq!(late.code().unwrap().code(), "25P02", "a guarded PREPARE in a failed transaction");
    assert_eq!(world.prepared().await, 0);
}

/// Two resolvers, or a resolver and a slow coordinator: whoever comes second is told 55000, which is an answer.
#[tokio::test]
async fn a_resolver_that_meets_another_at_the_prepared_transaction_asks_again() {
    let world = World::apart().await;
    let batch = world.batch(1, &["TX"]).await;
    world.prepare(&batch, part("TX")).await;
    // A standby that never confirms keeps the other one inside its ROLLBACK PREPARED.
    let there = world.database(part("TX")).await;
    there.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    there.batch_execute("select pg_reload_conf()").await.unwrap();
    let waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query like $1";
    let waiting = async |query: &str| there.query_one(waits, &[&query]).await.unwrap().get::<_, i64>(0) > 0;
    let pause = || tokio::time::sleep(Duration::from_millis(10));
    while !waiting("%probe%").await {
        let probe = world.database(part("TX")).await;
        tokio::spawn(async move { probe.batch_execute("insert into written values ('probe')").await });
        pause().await;
    }
    let other = world.connector.connect(part("TX")).await.unwrap();
    let roll_back = nostro_commit::statement::roll_back_prepared(&batch.gid(world.connector.deployment(), part("TX")));
    let held = Arc::clone(other.client());
    let held = tokio::spawn(async move { held.batch_execute(&roll_back).await });
    while !waiting("%rollback prepared%").await {
        pause().await;
    }
    let log = world.clusters[2].log_path();
    let release = async {
        while !std::fs::read_to_string(&log).unwrap().contains("is busy") {
            pause().await;
        }
        there.batch_execute("alter system reset synchronous_standby_names").await.unwrap();
        there.batch_execute("select pg_reload_conf()").await.unwrap();
    };
    let resolving = resolve(&world.connector, &batch, PATIENCE, |_| {});
    let (resolution, ()) =
        tokio::time::timeout(PATIENCE * 2, async { tokio::join!(resolving, release) }).await.unwrap();
    held.await.unwrap().unwrap();
    assert_eq!((resolution.verdict, resolution.finished), (Some(Verdict::Aborted), true), "{resolution:?}");
    let tombstone = there.query_one("select outcome from participation", &[]).await.unwrap();
    assert_eq!(tombstone.get::<_, &str>(0), "aborted");
}

#[tokio::test]
async fn recovery_finishes_what_a_dead_coordinator_decided() {
    let world = World::new().await;
    let batch = world.batch(1, &["NV", "TX"]).await;
    for at in ["NV", "TX"] {
        world.prepare(&batch, part(at)).await;
    }
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute(&format!("begin; {}", WRITE.replace("$batch", &batch.id.to_string()))).await.unwrap();
    home.client().batch_execute(&nostro_commit::statement::decide(&batch)).await.unwrap();
    let found = Sweeper::new(part("NV")).look(&world.connector).await.unwrap().prepared;
    assert_eq!(found.len(), 1, "each database lists its own");
    let resolution = recover(&world.connector, &found[0]).await;
    assert_eq!(resolution.verdict, Some(Verdict::Committed));
    assert!(resolution.finished);
    assert_eq!(world.written(&batch).await, ["AZ", "NV", "TX"], "the gid names every participant");
    assert_eq!(world.prepared().await, 0);
}

#[tokio::test]
async fn a_restored_home_without_the_row_is_not_taken_for_an_abort() {
    let world = World::new().await;
    let (decided, lost) = (world.batch(1, &["TX"]).await, world.batch(2, &["TX"]).await);
    world.prepare(&decided, part("TX")).await;
    world.prepare(&lost, part("TX")).await;
    let home = world.database(part("AZ")).await;
    home.batch_execute(&format!("begin; {}", WRITE.replace("$batch", &decided.id.to_string()))).await.unwrap();
    home.batch_execute(&nostro_commit::statement::decide(&decided)).await.unwrap();
    // The backup was taken before the other decision, if there was one.
    home.batch_execute("update batch_number set incarnation = 2").await.unwrap();
    let resolution = resolve(&world.connector, &lost, Duration::from_millis(500), |_| {}).await;
    assert_eq!((resolution.verdict, resolution.finished), (None, false), "nobody knows, and nobody guesses");
    assert_eq!(resolution.alarms, [Alarm::OlderIncarnation(lost.clone())], "home answered, and a human must look");
    let early = world.batch(3, &["TX"]).await.id;
    let now = BatchId { incarnation: 2, ..early };
    let recorded = recovery::decisions(&home, &[decided.id, lost.id, early, now]).await.unwrap();
    assert_eq!(
        recorded.into_iter().collect::<Vec<_>>(),
        [
            (decided.id, Recorded::Decided(Verdict::Committed)),
            (lost.id, Recorded::Restored),
            (early, Recorded::Restored),
            (now, Recorded::Nothing)
        ]
    );
    let resolution = resolve(&world.connector, &decided, PATIENCE, |_| {}).await;
    assert_eq!(
        (resolution.verdict, resolution.finished),
        (Some(Verdict::Committed), true),
        "a row that is there counts"
    );
    let left = Sweeper::new(part("TX")).look(&world.connector).await.unwrap().prepared;
    assert_eq!(left.iter().map(|prepared| prepared.gid.batch).collect::<Vec<_>>(), [lost.id], "it stays prepared");
    assert_eq!(world.written(&decided).await, ["AZ", "TX"]);
}

#[tokio::test]
async fn a_batch_that_its_home_was_restored_under_stays_unknown() {
    let world = World::new().await;
    let batch = world.batch(1, &["TX"]).await;
    let restored = "update batch_number set incarnation = 2";
    world.database(part("AZ")).await.batch_execute(restored).await.unwrap();
    let (ended, progress) = world.run(&batch, |_| WRITE).await;
    assert_eq!((ended.verdict, ended.finished, progress), (None, false, Progress::Deciding));
    assert_eq!(world.prepared().await, 1, "nobody has rolled it back");
    assert_eq!(world.written(&batch).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_lost_prepared_transaction_is_an_alarm_and_not_a_success() {
    let world = World::new().await;
    let batch = world.batch(1, &["TX"]).await;
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute("begin").await.unwrap();
    home.client().batch_execute(&nostro_commit::statement::decide(&batch)).await.unwrap();
    let resolution = resolve(&world.connector, &batch, PATIENCE, |_| {}).await;
    assert_eq!(resolution.verdict, Some(Verdict::Committed));
    assert_eq!(resolution.alarms.len(), 1, "{resolution:?}");
}

#[tokio::test]
async fn batch_numbers_are_never_handed_out_twice_also_after_a_crash() {
    let mut world = World::new().await;
    let home = part("AZ");
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..4 {
        let numbers = Arc::new(Numbers::default());
        let link = Arc::new(world.connector.connect(home).await.unwrap());
        for drawn in futures_util::future::join_all((0..1_500).map(|_| numbers.next(home, &link))).await {
            assert!(seen.insert(drawn.unwrap().number), "round {round}");
        }
        // The server dies right after a number was drawn.
        world.clusters[0].kill().unwrap();
        world.clusters[0].start().unwrap();
    }
    assert_eq!(seen.len(), 6_000);
}

#[tokio::test]
async fn a_link_remembers_warnings_and_closes_when_it_is_dropped() {
    let world = World::new().await;
    let link: Link = world.connector.connect(part("AZ")).await.unwrap();
    assert_eq!(link.warnings(), 0);
    link.client().batch_execute("do $$ begin raise warning 'not durable'; end $$").await.unwrap();
    assert_eq!(link.warnings(), 1, "seen before the reply");
    link.client().batch_execute("do $$ begin raise notice 'harmless'; end $$").await.unwrap();
    assert_eq!(link.warnings(), 1);
    let client = Arc::clone(link.client());
    drop(link);
    assert!(client.batch_execute("select 1").await.is_err());
}

#[tokio::test]
async fn an_acknowledged_decision_with_a_warning_goes_to_the_resolver() {
    let world = World::new().await;
    let there = world.database(part("AZ")).await;
    // As PostgreSQL does when the wait for a synchronous standby is cancelled: success, and a warning.
    there
        .batch_execute(
            "create function warns() returns trigger language plpgsql as
               $$ begin raise warning 'the standby did not confirm'; return new; end $$;
             create constraint trigger warns after insert on batch deferrable initially deferred
               for each row when (new.outcome = 'committed') execute function warns()",
        )
        .await
        .unwrap();
    let batch = world.batch(1, &["TX"]).await;
    let (ended, _) = world.run(&batch, |_| WRITE).await;
    assert_eq!(ended.verdict, Some(Verdict::Committed), "by home's row");
    let touched = there.query_one("select touched is not null from batch", &[]).await.unwrap();
    assert!(touched.get::<_, bool>(0), "the resolver asked");
    assert_eq!(world.written(&batch).await, ["AZ", "TX"]);
    assert_eq!(world.prepared().await, 0);
}

#[tokio::test]
async fn a_block_drawn_with_a_warning_is_not_used() {
    let world = World::new().await;
    let home = part("AZ");
    world
        .database(home)
        .await
        .batch_execute(
            "create function warns() returns trigger language plpgsql as
               $$ begin raise warning 'the standby did not confirm'; return new; end $$;
             create trigger warns before update on batch_number for each row when (new.next < 1500) execute function warns()",
        )
        .await
        .unwrap();
    let numbers = Numbers::default();
    let link = world.connector.connect(home).await.unwrap();
    let warned = numbers.next(home, &link).await.unwrap_err();
    assert!(warned.to_string().contains("not used"), "{warned}");
    let link = world.connector.connect(home).await.unwrap();
    let drawn = numbers.next(home, &link).await.unwrap();
    assert_eq!(drawn.number, 1_001, "the block that may be drawn again is skipped");
}

/// Why the decision is never sent twice (mutant M8 of the model): on real PostgreSQL it commits alone.
#[tokio::test]
async fn a_decision_sent_again_on_a_new_connection_would_commit_alone() {
    let world = World::new().await;
    let batch = world.batch(1, &["TX"]).await;
    world.prepare(&batch, part("TX")).await;
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute(&format!("begin; {}", WRITE.replace("$batch", &batch.id.to_string()))).await.unwrap();
    // The connection breaks with the decision on its way, and home's writes are gone with it.
    drop(home);
    let again = world.connector.connect(part("AZ")).await.unwrap();
    again.client().batch_execute(&nostro_commit::statement::decide(&batch)).await.unwrap();
    let resolution = resolve(&world.connector, &batch, PATIENCE, |_| {}).await;
    assert_eq!(resolution.verdict, Some(Verdict::Committed));
    assert_eq!(world.written(&batch).await, ["TX"], "one side only: this is what must not happen");
}

/// Why numbers come from a committed row (mutant M9 of the model): a crash makes a sequence hand one out twice.
#[tokio::test]
async fn a_number_from_a_sequence_would_be_handed_out_twice_and_never_be_settled() {
    let mut world = World::apart().await;
    let sequence = "create sequence numbers; grant usage on sequence numbers to nostro_commit";
    world.database(part("AZ")).await.batch_execute(sequence).await.unwrap();
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute("begin").await.unwrap();
    let draw = "select nextval('numbers')";
    let first: i64 = home.client().query_one(draw, &[]).await.unwrap().get(0);
    let older = world.batch(first.try_into().unwrap(), &["TX"]).await;
    world.prepare(&older, part("TX")).await;
    world.clusters[0].kill().unwrap();
    world.clusters[0].start().unwrap();
    let home = world.connector.connect(part("AZ")).await.unwrap();
    home.client().batch_execute("begin").await.unwrap();
    let second: i64 = home.client().query_one(draw, &[]).await.unwrap().get(0);
    assert_eq!(second, first, "the crash took the sequence back");
    let newer = world.batch(second.try_into().unwrap(), &["NV"]).await;
    world.prepare(&newer, part("NV")).await;
    home.client().batch_execute(&nostro_commit::statement::decide(&newer)).await.unwrap();
    // The resolver of the older batch finds the newer one's decision. Only the parts tell them apart.
    let resolution = resolve(&world.connector, &older, PATIENCE, |_| {}).await;
    assert!(!resolution.finished && resolution.alarms.len() == 1, "{resolution:?}");
    let listed = Sweeper::new(part("TX")).look(&world.connector).await.unwrap().prepared;
    assert_eq!(listed.len(), 1, "it stays in doubt for good: this is what must not happen");
}
