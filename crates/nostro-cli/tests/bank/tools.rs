//! The documented tools on a real server: the Postman collection by newman, the API by schemathesis. Where a tool
//! is not installed (`make tools` does it) the test says so and counts as skipped.

use nostro_torture::databases::{Databases, KEY};
use nostro_torture::money::open;
use nostro_torture::server::Server;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A tool of `make tools`, or on the PATH.
pub fn tool(installed: &str, name: &str) -> Option<PathBuf> {
    let local = root().join("target/tools").join(installed);
    let works =
        |program: &Path| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    [local, PathBuf::from(name)].into_iter().find(|program| works(program))
}

#[tokio::test]
async fn the_postman_collection_passes() {
    let Some(newman) = tool("node_modules/.bin/newman", "newman") else {
        println!("skipped: newman is not installed (make tools)");
        return;
    };
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    let (from, to) = (open(&server.client, "AZ", 500_000).await, open(&server.client, "TX", 0).await);
    let variables =
        [format!("base_url={}", server.url), format!("key={KEY}"), format!("from={from}"), format!("to={to}")];
    let mut command = Command::new(newman);
    command.arg("run").arg(root().join("docs/postman_collection.json"));
    for variable in &variables {
        command.args(["--env-var", variable]);
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    databases.finish().await;
}

#[tokio::test]
async fn the_api_keeps_to_its_own_description() {
    let Some(schemathesis) = tool("venv/bin/schemathesis", "schemathesis") else {
        println!("skipped: schemathesis is not installed (make tools)");
        return;
    };
    let databases = Databases::start().await;
    let server = Server::start(&databases).await;
    open(&server.client, "AZ", 500_000).await;
    let mut command = Command::new(schemathesis);
    // One worker: with two threads in ast.parse, which schemathesis calls, CPython 3.11 fails at times ("AST constructor
    // recursion depth mismatch", python/cpython#106905).
    command
        .args(["run", &format!("{}/openapi.json", server.url)])
        .args(["--header", &format!("Authorization: Bearer {KEY}")])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--max-examples", "20", "--seed", "1", "--workers", "1", "--no-color"])
        .current_dir(&databases.directory);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    databases.finish().await;
}
