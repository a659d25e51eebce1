//! A browser without a window: Chromium, told by the Chrome DevTools Protocol what to do.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{PATIENCE, waiting::eventually};

/// A browser with one page. Dropping it ends the browser.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    last: u64,
    session: Option<String>,
    complaints: Vec<String>,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium. `None` if it is not installed. In CI on Linux it has to be.
    pub fn start() -> Option<Self> {
        /// Chromium reads and writes messages on the file descriptors 3 and 4.
        const SCRIPT: &str = "exec chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
                              --remote-debugging-pipe --user-data-dir=\"$1\" 3<&0 4>&1 0</dev/null 1>&0 2>&0";

        let found = Command::new("chromium").arg("--version").stderr(Stdio::null()).output();
        if !found.is_ok_and(|output| output.status.success()) {
            let is_expected = cfg!(target_os = "linux") && env::var_os("CI").is_some();
            assert!(!is_expected, "no Chromium here: apt-get install chromium");
            eprintln!("not tested in a browser: there is no Chromium here");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut shell = Command::new("/bin/sh");
        let shell = shell.args(["-c", SCRIPT, "sh"]).arg(profile.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, messages) = channel();
        thread::spawn(move || {
            let parts = BufReader::new(output).split(0).map_while(Result::ok);
            parts.map_while(|part| serde_json::from_slice(&part).ok()).try_for_each(|message| sender.send(message))
        });
        let (last, session, complaints) = (0, None, Vec::new());
        let mut browser = Self { child, input, messages, last, session, complaints, _profile: profile };
        browser.open_tab();
        Some(browser)
    }

    fn open_tab(&mut self) {
        let target = self.send("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = self.send("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            self.send(&format!("{domain}.enable"), json!({}));
        }
    }

    /// Opens an address, and waits until the page is loaded.
    pub fn open(&mut self, address: &str) {
        // From a page that differs in its fragment only, the address would not be loaded.
        for address in ["about:blank", address] {
            let opened = self.send("Page.navigate", json!({"url": address}));
            assert_eq!(opened.get("errorText"), None, "{address}");
        }
        self.wait_for("location.href !== 'about:blank' && document.readyState === 'complete'");
    }

    /// Runs a script on the page, and returns its value.
    pub fn run(&mut self, script: &str) -> Value {
        self.evaluate(script).unwrap_or_else(|failure| panic!("{script}: {failure}"))
    }

    /// Waits until a script has a value that is not `null` or `false`, and returns that. While a page is being left or
    /// loaded, scripts fail.
    pub fn wait_for(&mut self, script: &str) -> Value {
        let is_there = |value: &Value| !matches!(value, Value::Null | Value::Bool(false));
        eventually(script, || self.evaluate(script).ok().filter(is_there))
    }

    fn evaluate(&mut self, script: &str) -> Result<Value, Value> {
        let options = json!({"expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let evaluated = self.try_send("Runtime.evaluate", options)?;
        match evaluated.get("exceptionDetails") {
            Some(exception) => Err(exception.clone()),
            None => Ok(evaluated["result"]["value"].clone()),
        }
    }

    /// Presses the key Tab.
    pub fn press_tab(&mut self) {
        for kind in ["rawKeyDown", "keyUp"] {
            self.send("Input.dispatchKeyEvent", json!({"type": kind, "key": "Tab", "windowsVirtualKeyCode": 9}));
        }
    }

    /// Types a text where the focus is.
    pub fn write(&mut self, text: &str) {
        for letter in text.chars().map(String::from) {
            self.send("Input.dispatchKeyEvent", json!({"type": "keyDown", "key": letter, "text": letter}));
            self.send("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": letter}));
        }
    }

    /// Gives the page a size, in pixels.
    pub fn resize(&mut self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.send("Emulation.setDeviceMetricsOverride", size);
    }

    /// Prefers a colour scheme: `dark` or `light`.
    pub fn prefer(&mut self, scheme: &str) {
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.send("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// Saves a picture of the page.
    pub fn take_picture(&mut self, file: &Path) {
        let picture = self.send("Page.captureScreenshot", json!({"format": "png"}));
        std::fs::write(file, BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
    }

    /// What the browser has complained of: exceptions of scripts, and what the page's policy did not allow.
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Sends a command, and returns its result.
    fn send(&mut self, method: &str, params: Value) -> Value {
        self.try_send(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Sends a command, and returns its result or the browser's error.
    fn try_send(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        // Before the tab is open, commands are for the browser as a whole.
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(&[message.to_string().as_bytes(), &[0]].concat()).unwrap();
        loop {
            let answer = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {message}"));
            if answer["id"] == self.last {
                return answer.get("error").map_or_else(|| Ok(answer["result"].clone()), |error| Err(error.clone()));
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let entry = &event["params"]["entry"];
        // A status that a test asks for is no complaint.
        let is_status = entry["source"] == "network";
        if event["method"] == "Runtime.exceptionThrown" || (entry["level"] == "error" && !is_status) {
            self.complaints.push(event["params"].to_string());
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // An error means that the browser has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
