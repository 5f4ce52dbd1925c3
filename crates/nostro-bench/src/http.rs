//! One keep-alive connection to a server, without a pool, and with buffers that are used again.

use crate::error::BenchError;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

/// Longer than any wait of the server's own.
const ANSWER_WAIT: Duration = Duration::from_secs(60);

/// An open connection with its key.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
    authorization: HeaderValue,
    /// The body of the last answer.
    pub(crate) body: Vec<u8>,
    _driver: AbortOnDropHandle<()>,
}

impl Connection {
    /// To a server at such as `http://127.0.0.1:8000`.
    pub(crate) async fn open(url: &str, key: &str) -> Result<Self, BenchError> {
        let address = url.strip_prefix("http://").unwrap_or(url);
        let failed = |what: &'static str| move |found: String| BenchError::Answer { what, found };
        let stream = TcpStream::connect(address).await.map_err(|error| failed("a connection")(error.to_string()))?;
        stream.set_nodelay(true).map_err(|error| failed("a connection")(error.to_string()))?;
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| failed("a connection")(error.to_string()))?;
        let driver = tokio::spawn(async move {
            // Its end reaches whoever sends, as an error.
            let _ = connection.await;
        });
        let header = |text: &str| HeaderValue::from_str(text).map_err(|error| failed("a key")(error.to_string()));
        let mut authorization = header(&format!("Bearer {key}"))?;
        authorization.set_sensitive(true);
        Ok(Self {
            sender,
            host: header(address)?,
            authorization,
            body: Vec::new(),
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    /// Sends JSON and reads the answer into `self.body`.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, HeaderMap), BenchError> {
        self.send(Method::POST, path, body).await
    }

    /// Asks and reads the answer into `self.body`.
    pub(crate) async fn get(&mut self, path: &str) -> Result<StatusCode, BenchError> {
        self.send(Method::GET, path, Bytes::new()).await.map(|(status, _)| status)
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, HeaderMap), BenchError> {
        let failed = |found: String| BenchError::Answer { what: "a request", found };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.host.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(Full::new(body))
            .map_err(|error| failed(error.to_string()))?;
        let exchange = async {
            self.sender.ready().await?;
            let mut response = self.sender.send_request(request).await?;
            self.body.clear();
            while let Some(frame) = response.frame().await {
                if let Ok(data) = frame?.into_data() {
                    self.body.extend_from_slice(&data);
                }
            }
            let (head, _) = response.into_parts();
            Ok::<_, hyper::Error>((head.status, head.headers))
        };
        match tokio::time::timeout(ANSWER_WAIT, exchange).await {
            Ok(answered) => answered.map_err(|error| failed(error.to_string())),
            Err(_) => Err(failed(format!("nothing came within {} s", ANSWER_WAIT.as_secs()))),
        }
    }
}
