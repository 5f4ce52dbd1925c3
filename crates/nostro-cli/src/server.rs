//! What `up` and `serve` serve: the API and, if wanted, the console, until they are told to stop.

use anyhow::{Context, bail};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use nostro_api::{ApiConfig, ApiKey};
use nostro_console::Console;
use nostro_engine::Engine;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Requests that are under way at the end get so long to be answered.
const DRAIN_MAX: Duration = Duration::from_secs(15);
/// Requests a second of one key: far above what two cores answer, low enough to stop a loop gone wild.
const REQUESTS_PER_SECOND_MAX: u32 = 50_000;

/// Sockets and keys of a server.
pub(crate) struct Server {
    pub(crate) engine: Engine,
    pub(crate) metrics: PrometheusHandle,
    pub(crate) keys: Vec<ApiKey>,
    pub(crate) api: TcpListener,
    pub(crate) console: Option<TcpListener>,
    /// Where browsers find the API, if not at the address that it listens on.
    pub(crate) api_url: Option<String>,
    /// Origins of pages that may call the API, besides the console's own.
    pub(crate) origins: Vec<String>,
    pub(crate) requests_per_second_max: Option<u32>,
}

/// Takes what is measured from now on: before the engine starts, which may recover batches at once.
pub(crate) fn metrics() -> anyhow::Result<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().context("cannot install the metrics")
}

/// Becomes true on Ctrl-C or SIGTERM. From this call on neither of them ends the process by itself.
pub(crate) fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let (told, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        told.send_replace(true);
        // The channel stays open for whoever listens later.
        told.closed().await;
    });
    Ok(stop)
}

/// Returns when told to stop.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    // An error means that the other end is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Serves until `stop` is true, then answers what is under way and finishes what is in flight.
pub(crate) async fn serve(server: Server, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let Server { engine, metrics, keys, api, console, api_url, mut origins, requests_per_second_max } = server;
    let api_url = api_url.unwrap_or(format!("http://{}", api.local_addr()?));
    if let Some(console) = &console {
        let address = console.local_addr()?;
        origins.push(format!("http://{address}"));
        if address.ip().is_loopback() {
            origins.push(format!("http://localhost:{}", address.port()));
        }
    }
    let config = ApiConfig {
        keys,
        console_origins: origins,
        requests_per_second_max: requests_per_second_max.unwrap_or(REQUESTS_PER_SECOND_MAX),
    };
    let (drain, draining) = watch::channel(false);
    let routes = nostro_api::router(engine.clone(), config, metrics);
    let mut serving = tokio::task::JoinSet::new();
    serving.spawn(listen(api, routes, draining.clone()));
    if let Some(listener) = console {
        serving.spawn(listen(listener, nostro_console::router(&Console { api_url }), draining));
    }
    let outcome = tokio::select! {
        () = told(&mut stop) => Ok(()),
        () = engine.failure() => Err(anyhow::anyhow!("a task of the engine died, see the log; what was in flight is settled at the next start")),
        Some(ended) = serving.join_next() => match ended {
            Ok(result) => result.context("the HTTP server ended"),
            Err(error) => Err(error).context("the HTTP server died"),
        },
    };
    drain.send_replace(true);
    let drained = tokio::time::timeout(DRAIN_MAX, async { while serving.join_next().await.is_some() {} });
    let (_, finished) = tokio::join!(drained, engine.shutdown(DRAIN_MAX));
    serving.shutdown().await;
    outcome?;
    if !finished {
        bail!("some batches were still in flight after {} s; the next start settles them", DRAIN_MAX.as_secs());
    }
    Ok(())
}

async fn listen(
    listener: TcpListener,
    routes: axum::Router,
    mut draining: watch::Receiver<bool>,
) -> std::io::Result<()> {
    axum::serve(listener, routes).with_graceful_shutdown(async move { told(&mut draining).await }).await
}
