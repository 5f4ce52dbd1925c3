//! The web console: one page, its assets, and this file, which serves them.
//!
//! The page runs in the browser and speaks to the HTTP API alone; this crate knows only the API's address and depends
//! on no other crate of the bank. The assets are compiled in, so the binary serves its console with no files beside it.
//!
//! It holds no key and no session: the key stays in the browser's tab and goes to the API, never to this server.
//! The Content-Security-Policy says so too: scripts and styles come from here only, and the page may connect to the
//! API's origin and to nothing else.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse};
use axum::routing::get;

/// Where the page finds what it shows.
#[derive(Debug, Clone)]
pub struct Console {
    /// Address of the HTTP API as the browser reaches it, e.g. `http://127.0.0.1:8000`.
    pub api_url: String,
}

/// `GET /`, `/assets/*` and `/favicon.svg`; a page that says so for any other path.
///
/// Every answer, the 404 too, carries the security headers. Where `api_url` is not an http or https address of plain
/// characters, the page is allowed to connect to nothing and says that it cannot reach the API.
pub fn router(console: &Console) -> Router {
    let page = INDEX.replace("{{api_url}}", &escape_html(&console.api_url));
    let headers = security_headers(&console.api_url);

    let mut router = Router::new().route("/", get(move || async move { Html(page) }));
    for asset in ASSETS {
        router = router.route(asset.path, get(move || async move { ([(CONTENT_TYPE, asset.media_type)], asset.text) }));
    }
    router.fallback(async || (StatusCode::NOT_FOUND, Html(NOT_FOUND))).layer(middleware::from_fn(
        move |request: Request, next: Next| {
            let headers = headers.clone();
            async move {
                let mut response = next.run(request).await.into_response();
                response.headers_mut().extend(headers);
                response
            }
        },
    ))
}

struct Asset {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const INDEX: &str = include_str!("../assets/index.html");
const NOT_FOUND: &str = include_str!("../assets/not_found.html");

macro_rules! script {
    ($name:literal) => {
        Asset {
            path: concat!("/assets/", $name),
            media_type: "text/javascript; charset=utf-8",
            text: include_str!(concat!("../assets/", $name)),
        }
    };
}

const ASSETS: &[Asset] = &[
    Asset { path: "/favicon.svg", media_type: "image/svg+xml", text: include_str!("../assets/favicon.svg") },
    Asset {
        path: "/assets/console.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../assets/console.css"),
    },
    script!("account_number.js"),
    script!("accounts_view.js"),
    script!("api.js"),
    script!("attempt.js"),
    script!("bank.js"),
    script!("commit_steps.js"),
    script!("copy.js"),
    script!("element.js"),
    script!("key.js"),
    script!("main.js"),
    script!("money.js"),
    script!("money_view.js"),
    script!("moment.js"),
    script!("outcome.js"),
    script!("outcome_view.js"),
    script!("sentence.js"),
    script!("transfer_form.js"),
    script!("transfer_id.js"),
];

fn security_headers(api_url: &str) -> HeaderMap {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src {}; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        origin(api_url).unwrap_or("'none'")
    );
    let policy = HeaderValue::from_str(&policy).expect("an origin is made of plain characters only");
    HeaderMap::from_iter([
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ])
}

/// Scheme and authority of an http or https address, without its path: a policy that names a path allows that one
/// path only. Anything with a character that could end the source and begin another one is no origin.
fn origin(url: &str) -> Option<&str> {
    let scheme_end = ["http://", "https://"].iter().find(|scheme| url.starts_with(**scheme))?.len();
    let (scheme, rest) = url.split_at(scheme_end);
    let authority = rest.split(['/', '?', '#']).next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if authority.is_empty() || !authority.chars().all(plain) {
        return None;
    }
    url.get(..scheme.len() + authority.len())
}

fn escape_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
