//! The live page in a real Chromium over HTTP/2: its event stream, and its WebSocket by extended CONNECT.
//!
//! What the page gets is taken from the browser's own account of its network, from outside the page.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::devtools::Browser;
use crate::server::Server;

/// How long a step may take; a browser on a busy machine takes seconds to start.
const LIMIT: Duration = Duration::from_secs(60);

/// Events that both streams are to get.
const EVENTS: usize = 50;

/// An event: its id, name and data.
type Event = (u64, String, String);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}")).to_owned()
}

/// The events that the page's EventSource got.
fn events(browser: &Browser) -> Vec<Event> {
    let told = browser.told("Network.eventSourceMessageReceived");
    told.map(|it| (text(&it["eventId"]).parse().unwrap(), text(&it["eventName"]), text(&it["data"])))
        .collect()
}

/// The events that the page's WebSocket got: text frames of id, name and data, a line each.
fn messages(browser: &Browser) -> Vec<Event> {
    let told = browser.told("Network.webSocketFrameReceived").map(|it| &it["response"]);
    let texts = told.filter(|frame| frame["opcode"] == json!(1)).map(|frame| text(&frame["payloadData"]));
    let event = |message: String| {
        let mut parts = message.splitn(3, '\n').map(str::to_owned);
        let mut next = || parts.next().unwrap();
        (next().parse().unwrap(), next(), next())
    };
    texts.map(event).collect()
}

/// The protocol of each response by its path.
fn protocols(browser: &Browser) -> BTreeMap<String, String> {
    let responses = browser.told("Network.responseReceived").map(|it| &it["response"]);
    let path = |response: &Value| format!("/{}", text(&response["url"]).splitn(4, '/').nth(3).unwrap());
    responses.map(|response| (path(response), text(&response["protocol"]))).collect()
}

/// Opens the page and waits until both streams have got enough.
async fn live_page(server: &Server, browser: &mut Browser) {
    let page = format!("https://{}/", server.authority);
    browser.command("Page.navigate", json!({ "url": page })).await;
    while events(browser).len() < EVENTS || messages(browser).len() < EVENTS {
        browser.watch().await;
    }
}

/// The same from the later of the two beginnings on, as far as both go.
fn common<'a>(these: &'a [Event], others: &[Event]) -> &'a [Event] {
    let first = these[0].0.max(others[0].0);
    let last = these[these.len() - 1].0.min(others[others.len() - 1].0);
    let inside: Vec<usize> = (0..these.len()).filter(|at| (first..=last).contains(&these[*at].0)).collect();
    &these[inside[0]..=inside[inside.len() - 1]]
}

#[tokio::test]
async fn chromium_gets_the_same_events_over_sse_and_a_websocket_of_one_http2_connection() {
    let server = Server::start(&["--tls", "--rate", "100"]);
    let mut browser = timeout(LIMIT, Browser::start()).await.expect("Chromium does not start");
    if timeout(LIMIT, live_page(&server, &mut browser)).await.is_err() {
        let got = (events(&browser).len(), messages(&browser).len(), protocols(&browser));
        let failed: Vec<_> = browser.told("Network.loadingFailed").collect();
        panic!("no {EVENTS} events each within {LIMIT:?}: (SSE, WebSocket, responses) {got:?}, {failed:?}");
    }
    timeout(LIMIT, judge(&mut browser)).await.expect("a script in the page does not end");
}

async fn judge(browser: &mut Browser) {
    let (sse, ws) = (events(browser), messages(browser));
    let (sse, ws) = (common(&sse, &ws), common(&ws, &sse));
    assert_eq!(sse, ws);
    assert!(sse.len() >= EVENTS / 2, "too few in common: {}", sse.len());
    assert!(sse.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{sse:?}");

    let protocols = protocols(browser);
    assert_eq!((protocols["/"].as_str(), protocols["/sse"].as_str()), ("h2", "h2"), "{protocols:?}");
    // RFC 8441 5: 200 where an upgrade is answered with 101.
    let opened: Vec<_> = browser.told("Network.webSocketHandshakeResponseReceived").collect();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!(opened[0]["response"]["status"], json!(200), "{opened:?}");
    // And by the server's account, which the page shows.
    let counted = browser.evaluate("fetch('/opened').then(answer => answer.json())").await;
    let one = json!({"http/1.1": 0, "h2": 1});
    assert_eq!(counted, json!({"sse": one, "ws": one}));
    let shown = browser
        .evaluate(
            "Promise.all([sse, ws].map(panel => panel.versions())).then(() => [...document.querySelectorAll(
                '.state, [data-is=versions]')].map(node => node.textContent))",
        )
        .await;
    assert_eq!(shown, json!(["open", "1 / 0", "open", "1 / 0"]));
    // And by the page's own: the entry of a stream is made when it ends, so here it is ended.
    let ended = browser
        .evaluate(
            "new Promise(tell => {
                new PerformanceObserver(list => {
                    const entry = list.getEntriesByName(new URL('/sse', location).href)[0];
                    if (entry) tell(entry.nextHopProtocol);
                }).observe({ type: 'resource', buffered: true });
                sse.hang_up();
            })",
        )
        .await;
    assert_eq!(ended, json!("h2"));
}
