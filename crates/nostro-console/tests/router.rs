//! The console's routes as a browser meets them: status, media type, and the security headers on every answer.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use nostro_console::{Console, router};
use tower::ServiceExt;

const API_URL: &str = "http://127.0.0.1:8000";
const BODY_BYTES_MAX: usize = 1024 * 1024;

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers here are ASCII"))
    }
}

async fn ask(api_url: &str, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).expect("a plain request");
    let console = Console { api_url: api_url.to_owned() };
    let response = router(&console).oneshot(request).await.expect("the router is infallible");
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, BODY_BYTES_MAX).await.expect("the body is in memory");
    let text = String::from_utf8(bytes.to_vec()).expect("every asset is UTF-8");
    Answer { status: parts.status, headers: parts.headers, text }
}

#[tokio::test]
async fn every_path_has_its_status_and_media_type() {
    for (path, status, media_type) in [
        ("/", 200, "text/html; charset=utf-8"),
        ("/?from=link", 200, "text/html; charset=utf-8"),
        ("/favicon.svg", 200, "image/svg+xml"),
        ("/assets/console.css", 200, "text/css; charset=utf-8"),
        ("/assets/main.js", 200, "text/javascript; charset=utf-8"),
        ("/assets/", 404, "text/html; charset=utf-8"),
        ("/assets/index.html", 404, "text/html; charset=utf-8"),
        ("/assets/../Cargo.toml", 404, "text/html; charset=utf-8"),
        ("/v1/branches", 404, "text/html; charset=utf-8"),
    ] {
        let answer = ask(API_URL, "GET", path).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (status, media_type), "{path}");
        assert!(!answer.text.is_empty(), "{path} is empty");
    }
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                  connect-src http://127.0.0.1:8000; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    for (method, path, status) in [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("POST", "/", 405),
        ("GET", "/assets/main.js", 200),
        ("GET", "/favicon.svg", 200),
        ("GET", "/nowhere", 404),
    ] {
        let answer = ask(API_URL, method, path).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}");
        for (name, value) in [
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(answer.header(name), value, "{name} of {method} {path}");
        }
    }
}

#[tokio::test]
async fn the_policy_names_the_origin_of_the_api_and_nothing_that_an_address_smuggles_in() {
    for (api_url, source) in [
        ("https://bank.example", "https://bank.example"),
        ("https://bank.example/", "https://bank.example"),
        ("https://bank.example:8443/api?x#y", "https://bank.example:8443"),
        ("http://x; script-src *", "'none'"),
        ("http://x y", "'none'"),
        ("http://x,default-src", "'none'"),
        ("http://x\r\nset-cookie: a=b", "'none'"),
        ("http://*", "'none'"),
        ("http://", "'none'"),
        ("javascript:alert(1)", "'none'"),
        ("", "'none'"),
    ] {
        let answer = ask(api_url, "GET", "/").await;
        let policy = answer.header("content-security-policy");
        assert!(policy.contains(&format!("connect-src {source};")), "{api_url:?} gave {policy}");
        assert_eq!(policy.matches("script-src").count(), 1, "{api_url:?} gave {policy}");
    }
}

#[tokio::test]
async fn the_page_carries_the_escaped_address_of_the_api() {
    let answer = ask(API_URL, "GET", "/").await;
    assert!(answer.text.contains(r#"<meta name="nostro-api" content="http://127.0.0.1:8000">"#));

    let answer = ask(r#"http://x/"><script>alert('1')</script>&"#, "GET", "/").await;
    assert!(
        answer.text.contains(r#"content="http://x/&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;">"#)
    );
    assert!(!answer.text.contains("<script>alert"));
}

/// A module that is written but not served, or imported but misspelt, leaves a blank page: the policy has no fallback.
#[tokio::test]
async fn every_module_that_the_page_loads_is_served() {
    let page = ask(API_URL, "GET", "/").await.text;
    let rooted = |name: String| format!("/{name}");
    let scripts = quoted(&page, " src=\"/", "\"").into_iter();
    let mut waiting: Vec<String> = scripts.chain(quoted(&page, " href=\"/", "\"")).map(rooted).collect();
    assert!(waiting.contains(&"/assets/main.js".to_owned()), "the page loads no script: {waiting:?}");
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = ask(API_URL, "GET", &path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path} is loaded and not served");
        if path.ends_with(".js") {
            let imports = quoted(&answer.text, " from \"./", "\"");
            waiting.extend(imports.into_iter().map(|name| format!("/assets/{name}")));
        }
        seen.push(path);
    }
    let on_disk = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets")).expect("the assets folder");
    for file in on_disk {
        let name = file.expect("a readable folder").file_name().into_string().expect("a plain name");
        if name.ends_with(".js") {
            assert!(seen.contains(&format!("/assets/{name}")), "{name} is on disk and nothing loads it");
        }
    }
}

/// The texts between `before` and `after`, in order.
fn quoted(text: &str, before: &str, after: &str) -> Vec<String> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).map(str::to_owned).collect()
}
