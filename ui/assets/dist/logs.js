// A followed log. Without it, the page shows the end of the log.
(() => {
  "use strict";
  // A followed log: new lines are appended, and the oldest are removed. A hidden page closes its stream,
  // and reads the end of the log again when it is visible.
  document.querySelectorAll("pre[data-follow]").forEach((log) => {
    const state = document.getElementById("log-state");
    const show = (name, text) => { state.dataset.state = name; state.textContent = text; };
    const maxChars = 1 << 20;
    let source, ended = false, retry = 0;
    const connect = () => {
      if (source || ended || document.hidden) return;
      log.textContent = "";
      source = new EventSource(log.dataset.follow);
      source.onopen = () => show("on", log.dataset.following);
      source.onmessage = (event) => {
        const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        log.append(event.data + "\n");
        let size = log.textContent.length;
        while (size > maxChars && log.firstChild) { size -= log.firstChild.length; log.firstChild.remove(); }
        if (atEnd) log.scrollTop = log.scrollHeight;
      };
      source.addEventListener("closed", (event) => {
        ended = true;
        disconnect();
        show("lost", event.data === "ended" ? log.dataset.ended : log.dataset.denied);
      });
      source.onerror = () => {
        show("lost", log.dataset.lost);
        if (source.readyState !== EventSource.CLOSED) return;
        disconnect();
        clearTimeout(retry);
        retry = setTimeout(connect, 10000);
      };
    };
    const disconnect = () => { source?.close(); source = undefined; };
    document.addEventListener("visibilitychange", () => document.hidden ? disconnect() : connect());
    addEventListener("pagehide", disconnect);
    connect();
  });
})();
