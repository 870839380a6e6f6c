// The form that uploads a chart shows its progress, and does not send an archive that the source has. Without this
// script, the browser sends the form.
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
  // The URL of the next page if the source has the archive.
  const findKnown = async (file, signal) => {
    const digest = await digestOf(file);
    if (!digest) return "";
    const query = new URLSearchParams({ file: file.name, digest, account: form.elements.account?.value ?? "" });
    const response = await fetch(texts.known + "?" + query, { signal });
    return response.ok && !response.redirected ? response.text() : "";
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
    const control = new AbortController();
    begin(() => control.abort());
    show(texts.textChecking);
    let next = "";
    try {
      next = await findKnown(file, control.signal);
    } catch {
      if (control.signal.aborted) { end(texts.textCanceled); return; }
    }
    if (next) location.assign(next); else send();
  });
  cancel.addEventListener("click", () => stop?.());
  // A page that the browser restores shows no upload in progress.
  addEventListener("pageshow", (event) => { if (event.persisted) end(""); });
})();
