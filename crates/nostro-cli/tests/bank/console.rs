//! The console in a real Chromium, against the real API: the key, both branches, a transfer and its commit.
//!
//! Where chromium and chromedriver are not installed (`make browser`) the test says so
//! and counts as skipped.

use crate::tools::tool;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nostro_torture::databases::{Databases, KEY};
use nostro_torture::money::{balance, open};
use nostro_torture::server::Server;
use serde_json::json;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// chromedriver on a port of its own; killed with its browser when dropped.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    async fn start() -> Option<Self> {
        let program = tool("chromedriver", "chromedriver")?;
        let chromium = Command::new("chromium").arg("--version").output();
        if !chromium.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(program)
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let driver = Self { child, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..200 {
            if reqwest::get(format!("{}/status", driver.url)).await.is_ok() {
                return Some(driver);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("chromedriver did not start");
    }

    async fn browser(&self, width: u32) -> Client {
        let size = format!("--window-size={width},1000");
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &size,
        ];
        let mut capabilities = serde_json::Map::new();
        capabilities.insert("goog:chromeOptions".into(), json!({ "args": arguments }));
        capabilities.insert("goog:loggingPrefs".into(), json!({ "browser": "ALL" }));
        ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&self.url).await.unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn text(browser: &Client, css: &str) -> String {
    let element = browser.wait().at_most(Duration::from_secs(10)).for_element(Locator::Css(css)).await.unwrap();
    element.text().await.unwrap()
}

/// Waits until the element's text has the words.
async fn shows(browser: &Client, css: &str, words: &str) {
    let mut last = String::new();
    for _ in 0..200 {
        last = text(browser, css).await;
        if last.contains(words) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{css} does not show {words:?}: {last}");
}

async fn fill(browser: &Client, css: &str, value: &str) {
    let field = browser.find(Locator::Css(css)).await.unwrap();
    field.clear().await.unwrap();
    field.send_keys(value).await.unwrap();
}

#[tokio::test]
async fn a_teller_pays_from_arizona_to_texas_in_the_browser() {
    let Some(driver) = Driver::start().await else {
        println!("skipped: chromium and chromedriver are not installed");
        return;
    };
    let databases = Databases::start().await;
    let server = Server::start_with_setting(&databases, "console = \"127.0.0.1:0\"\n").await;
    let (az, tx) = (open(&server.client, "AZ", 500_075).await, open(&server.client, "TX", 0).await);
    for width in [1440, 390] {
        let browser = driver.browser(width).await;
        let console = server.console.clone().unwrap();
        // Without a key it asks for one; a wrong one is refused with the reason.
        browser.goto(&console).await.unwrap();
        fill(&browser, "#key", "not-the-key").await;
        browser.find(Locator::Css("#key")).await.unwrap().send_keys("\u{e007}").await.unwrap();
        browser
            .wait()
            .at_most(Duration::from_secs(10))
            .for_element(Locator::Css("#key-reason:not([hidden])"))
            .await
            .unwrap();
        // The link of `nostro up` carries it in the fragment, and the page takes it out of the address.
        browser.goto("about:blank").await.unwrap();
        browser.goto(&format!("{console}/#key={KEY}")).await.unwrap();
        shows(&browser, "#branches", "AZ").await;
        shows(&browser, "#branches", &tx.grouped()).await;
        assert!(!browser.current_url().await.unwrap().as_str().contains(KEY));
        let before = balance(&server.client, tx).await;
        fill(&browser, "#debit_account", &az.to_string()).await;
        fill(&browser, "#credit_account", &tx.grouped()).await;
        fill(&browser, "#amount", "1000.00").await;
        browser.find(Locator::Css("#send")).await.unwrap().click().await.unwrap();
        shows(&browser, "#outcome", "AZ-1-").await;
        let outcome = text(&browser, "#outcome").await;
        for words in ["PREPARE TRANSACTION", "COMMIT PREPARED", "TX"] {
            assert!(outcome.contains(words), "{width}: {words:?} is not in {outcome}");
        }
        assert_eq!(balance(&server.client, tx).await, before + 100_000);
        let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(browser.execute(wide, vec![]).await.unwrap(), json!(false), "it scrolls sideways at {width}");
        browser.close().await.unwrap();
    }
    databases.finish().await;
}
