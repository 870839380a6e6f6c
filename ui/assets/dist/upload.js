// The form that uploads a chart shows its progress, continues after a lost connection, and does not send an archive
// that the source has. Without this script, the browser sends the form.
(() => {
  "use strict";
  const form = document.getElementById("upload");
  if (!form) return;
  const texts = form.dataset;
  const submit = form.querySelector("button.main");
  const cancel = document.getElementById("upload-cancel");
  const progress = document.getElementById("upload-progress");
  const bar = progress.querySelector("progress");
  const state = document.getElementById("upload-state");
  const problem = document.getElementById("upload-problem");
  let stop = null;

  const begin = (abort) => {
    stop = abort;
    problem.hidden = true;
    progress.hidden = cancel.hidden = false;
    submit.disabled = true;
  };
  const end = (text) => {
    stop = null;
    progress.hidden = cancel.hidden = true;
    submit.disabled = false;
    problem.querySelector("span").textContent = text;
    problem.hidden = !text;
  };
  // A number for the bar, or no number if the duration is unknown.
  const show = (text, percent) => {
    state.textContent = text;
    if (percent === undefined) bar.removeAttribute("value"); else bar.value = percent;
  };

  // Browsers compute digests on pages over HTTPS and of this machine only. Elsewhere the server computes it.
  const digestOf = async (file) => {
    if (!globalThis.crypto?.subtle) return "";
    const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return "sha256:" + Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
  };
  const queryOf = (file, digest, more) => "?" + new URLSearchParams({ file: file.name, digest, account: form.elements.account?.value ?? "", ...more });
  // The URL of the next page if the source has the archive.
  const findKnown = async (file, digest, signal) => {
    const response = await fetch(texts.known + queryOf(file, digest), { signal });
    return response.ok && !response.redirected ? response.text() : "";
  };

  const partBytes = 512 * 1024, mostFailures = 8;
  // Ends after a time, when the browser is online again, or when the user cancels.
  const pause = (delay, signal) => new Promise((resolve) => {
    const timer = setTimeout(resolve, delay);
    addEventListener("online", resolve, { once: true, signal });
    signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
  const sendPart = async (file, digest, offset, signal) => {
    const more = { total: file.size }, isPart = offset >= 0;
    if (isPart) more.offset = offset;
    const body = isPart ? file.slice(offset, offset + partBytes) : "";
    const response = await fetch(texts.part + queryOf(file, digest, more), { method: "PUT", body, signal });
    const isAnswer = response.headers.get("Content-Type")?.startsWith("application/json");
    return isAnswer ? response.json() : { problem: texts.textLost, isTemporary: response.status === 429 || response.status >= 500 };
  };
  // Asks which part of the archive the source has, and sends the others one by one. After a failure, it asks again.
  const sendParts = async (file, digest, signal) => {
    let offset = -1, furthest = -1;
    for (let failures = 0; failures <= mostFailures;) {
      let result;
      try {
        result = await sendPart(file, digest, offset, signal);
      } catch (failure) {
        if (signal.aborted) throw failure;
        result = { problem: texts.textInterrupted, isTemporary: true };
      }
      if (result.next) { location.assign(result.next); return; }
      if (result.problem && !result.isTemporary) { end(result.problem); return; }
      if (!result.problem && (offset < 0 || result.received > offset)) {
        offset = result.received;
        if (offset > furthest) { furthest = offset; failures = 0; }
        const percent = Math.floor(offset * 100 / file.size);
        show(`${texts.textSending} ${percent} %`, percent);
        continue;
      }
      offset = -1;
      failures++;
      show(texts.textWaiting);
      await pause(Math.min(1000 * 2 ** (failures - 1), 15000), signal);
      signal.throwIfAborted();
    }
    end(texts.textInterrupted);
  };

  const send = () => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.responseType = "document";
    request.upload.onprogress = (event) => {
      const percent = event.lengthComputable ? Math.floor(event.loaded * 100 / event.total) : undefined;
      if (percent === 100) show(texts.textAccepting); else show(texts.textSending + (percent === undefined ? "" : " " + percent + " %"), percent);
    };
    request.onload = () => {
      if (request.status === 200) { location.assign(request.responseURL); return; }
      // The form with a problem, a missing permission, or the page of another problem.
      const places = ["#upload-problem:not([hidden]) span", "main .notice.bad p", "main .empty h1 + p"];
      end(places.map((each) => request.response?.querySelector(each)?.textContent).find(Boolean) || texts.textLost);
    };
    request.onerror = () => end(texts.textLost);
    request.onabort = () => end(texts.textCanceled);
    begin(() => request.abort());
    show(texts.textSending, 0);
    request.send(new FormData(form));
  };

  form.addEventListener("submit", async (event) => {
    const file = form.elements.chart.files[0];
    if (!file) return;
    event.preventDefault();
    if (stop) return;
    if (file.size > Number(texts.max)) { end(texts.textTooLarge); return; }
    const control = new AbortController(), signal = control.signal;
    begin(() => control.abort());
    show(texts.textChecking);
    try {
      const digest = await digestOf(file);
      if (!digest) { send(); return; }
      const next = await findKnown(file, digest, signal).catch(() => ""); // The upload reports an error better.
      signal.throwIfAborted();
      if (next) location.assign(next); else await sendParts(file, digest, signal);
    } catch {
      end(signal.aborted ? texts.textCanceled : texts.textLost);
    }
  });
  cancel.addEventListener("click", () => stop?.());
  // A page that the browser restores shows no upload in progress.
  addEventListener("pageshow", (event) => { if (event.persisted) end(""); });
})();
