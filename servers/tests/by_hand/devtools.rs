//! A headless Chromium, and its DevTools protocol: commands as JSON over a WebSocket, answered by number,
//! and notifications of what the network did.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// As root in a container, and without what it would ask of the network by itself. The certificate is made
/// when the server starts, so that nobody knows it.
const FLAGS: [&str; 10] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
];

/// A browser with one page; killed with all its processes when dropped.
pub struct Browser {
    child: Child,
    socket: WebSocketStream<TcpStream>,
    session: Option<Value>,
    commands: u64,
    /// Notifications, in order.
    pub seen: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with an empty page, whose network it watches.
    pub async fn start() -> Self {
        let profile = TempDir::new().unwrap();
        let mut command = Command::new("chromium");
        command.args(FLAGS).arg(format!("--user-data-dir={}", profile.path().display())).arg("about:blank");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut child =
            command.spawn().expect("Chromium is not here: install it (`apt-get install chromium`)");
        let address = devtools(&mut child);
        let authority = address.split('/').nth(2).unwrap().to_owned();
        let tcp = TcpStream::connect(authority).await.unwrap();
        let (socket, _) = client_async(address, tcp).await.unwrap();
        let mut browser =
            Self { child, socket, session: None, commands: 0, seen: Vec::new(), _profile: profile };
        let page = browser.command("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let attached = browser.command("Target.attachToTarget", attach).await;
        browser.session = Some(attached["sessionId"].clone());
        browser.command("Network.enable", json!({})).await;
        browser
    }

    /// Says a command and waits for what it gives.
    pub async fn command(&mut self, method: &str, params: Value) -> Value {
        self.commands += 1;
        let mut command = json!({"id": self.commands, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.clone();
        }
        self.socket.send(Message::text(command.to_string())).await.unwrap();
        loop {
            let said = self.hear().await;
            if said["id"] == command["id"] {
                assert!(said["error"].is_null(), "{method}: {said}");
                return said["result"].clone();
            }
            self.seen.push(said);
        }
    }

    /// Waits for one more notification.
    pub async fn watch(&mut self) {
        let said = self.hear().await;
        self.seen.push(said);
    }

    async fn hear(&mut self) -> Value {
        loop {
            let said = self.socket.next().await.expect("the browser has ended").unwrap();
            if let Message::Text(text) = said {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// What a script in the page comes to, behind its promise.
    pub async fn evaluate(&mut self, script: &str) -> Value {
        let params = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let result = self.command("Runtime.evaluate", params).await;
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        result["result"]["value"].clone()
    }

    /// The parameters of the notifications of one kind.
    pub fn told<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        self.seen.iter().filter(move |said| said["method"] == method).map(|said| &said["params"])
    }
}

/// Where a browser says that its DevTools listen. Its standard error is read to the end, lest it waits.
fn devtools(child: &mut Child) -> String {
    let (tell, told) = std::sync::mpsc::channel();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    std::thread::spawn(move || {
        for line in lines {
            // Nobody listens behind the line that is waited for.
            let _ = tell.send(line);
        }
    });
    let mut said = Vec::new();
    loop {
        match told.recv_timeout(PATIENCE) {
            Ok(line) => match line.strip_prefix("DevTools listening on ") {
                Some(address) => return address.to_owned(),
                None => said.push(line),
            },
            Err(_) => {
                kill(child);
                panic!("Chromium does not start: it says {said:#?}");
            }
        }
    }
}

/// Ends a browser: it leads a group of its own, in which all its processes are.
fn kill(child: &mut Child) {
    // An error says that it has ended.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
    let _ = child.wait();
}

impl Drop for Browser {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}
