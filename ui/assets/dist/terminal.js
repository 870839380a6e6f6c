// The terminal of a container. Only the page with the terminal loads this file.
import { Terminal } from "./xterm.mjs";
import { FitAddon } from "./addon-fit.mjs";

const place = document.getElementById("terminal");
const part = (name) => document.getElementById(`terminal-${name}`);
const state = part("state"), end = part("end"), again = part("again"), close = part("close"), reader = part("reader");
const texts = place.dataset;
const readerKey = "appmarket-terminal-reader";
// The output that was shown is acknowledged, so that the program waits while the browser is busy.
const acknowledgedBytes = 128 << 10;

// The terminal creates style elements, which the content security policy allows with a nonce only.
const create = document.createElement.bind(document);
document.createElement = (name, options) => {
  const element = create(name, options);
  if (String(name).toLowerCase() === "style") element.nonce = texts.nonce;
  return element;
};

const terminal = new Terminal({
  cursorBlink: false, fontSize: 13, scrollback: 5000, screenReaderMode: localStorage.getItem(readerKey) === "on",
  fontFamily: 'ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
  theme: { background: "#0b0e12", foreground: "#e8ebf0", cursor: "#7cb7f5", selectionBackground: "#2c4a6e" },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(place);
fit.fit();

const encoder = new TextEncoder();
let socket;
const isOpen = () => socket?.readyState === WebSocket.OPEN;
const sendControl = (message) => isOpen() && socket.send(JSON.stringify(message));
const sizeOf = () => ({ width: Math.min(500, terminal.cols), height: Math.min(500, terminal.rows) });
const show = (name, text) => { state.dataset.state = name; state.textContent = text; };

function connect() {
  const { width, height } = sizeOf();
  const address = new URL(texts.stream, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  address.searchParams.set("width", width);
  address.searchParams.set("height", height);
  const opened = socket = new WebSocket(address);
  opened.binaryType = "arraybuffer";
  end.hidden = again.hidden = true;
  close.hidden = false;
  terminal.reset();
  show("lost", texts.connecting);
  let shown = 0, isExplained = false;
  opened.onmessage = ({ data }) => {
    if (typeof data !== "string") {
      terminal.write(new Uint8Array(data), () => {
        shown += data.byteLength;
        if (shown < acknowledgedBytes || opened !== socket) return;
        sendControl({ shown });
        shown = 0;
      });
      return;
    }
    const message = JSON.parse(data);
    if (message.open) {
      show("on", texts.connected);
      sendControl({ size: sizeOf() });
      terminal.focus();
    }
    if (message.confirm) confirmSession();
    if (message.ended) { isExplained = true; explain(message.ended); }
  };
  opened.onclose = () => { if (opened === socket && !isExplained) explain({ text: texts.lost }); };
}

// The server asks at intervals whether the user is still signed in. The answer contains the present token, which
// only the server can read.
async function confirmSession() {
  try {
    const response = await fetch(texts.ticket, { method: "POST", redirect: "error" });
    if (response.ok) return sendControl({ confirmation: await response.text() });
    if (response.status === 401) { explain({ text: texts.signedOut }); socket.close(); }
  } catch { /* The server closes the terminal if the answer is missing. */ }
}

/** Says why the terminal was closed, and offers to connect again. */
function explain({ text, detail = "", command = "" }) {
  const left = place.contains(document.activeElement) || document.activeElement === close;
  show("lost", texts.ended);
  const [sentence, message] = end.querySelectorAll("p");
  const help = end.querySelector(".copyable").parentElement;
  sentence.textContent = text;
  message.hidden = !detail;
  message.querySelector("code").textContent = detail;
  help.hidden = !command;
  help.querySelector("code").textContent = command;
  end.hidden = again.hidden = false;
  close.hidden = true;
  socket = undefined;
  if (left) end.focus();
}

terminal.onData((text) => { if (isOpen()) for (let i = 0, bytes = encoder.encode(text); i < bytes.length; i += 32768) socket.send(bytes.subarray(i, i + 32768)); });
terminal.onBinary((text) => { if (isOpen()) socket.send(Uint8Array.from(text, (c) => c.charCodeAt(0))); });
terminal.onResize(() => sendControl({ size: sizeOf() }));
new ResizeObserver(() => fit.fit()).observe(place);

// All keys belong to the program in the terminal, apart from this one.
terminal.attachCustomKeyEventHandler((event) => {
  if (event.key !== "F6" || !event.ctrlKey) return true;
  event.preventDefault();
  if (event.type === "keydown") (close.hidden ? again : close).focus();
  return false;
});
reader.checked = terminal.options.screenReaderMode;
reader.addEventListener("change", () => {
  terminal.options.screenReaderMode = reader.checked;
  localStorage.setItem(readerKey, reader.checked ? "on" : "off");
});
again.addEventListener("click", connect);
close.addEventListener("click", () => { const open = socket; explain({ text: texts.closed }); again.focus(); open?.close(); });
addEventListener("pagehide", () => socket?.close());
connect();
