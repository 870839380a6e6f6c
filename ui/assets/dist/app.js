// Everything here is an addition: the pages and their forms work without it.
(() => {
  "use strict";
  // The texts are attributes, in the language of the page.
  const texts = document.body.dataset;
  const each = (selector, work) => document.querySelectorAll(selector).forEach(work);

  // Filters apply when they are changed.
  each("form[data-submit]", (form) => form.addEventListener("change", () => {
    const search = document.getElementById("search");
    if (form.id === "filters" && search) form.elements.q.value = search.value;
    for (const field of form.elements) if (field.name && field.value === "" && field.type !== "checkbox" && field.name !== "namespace") field.disabled = true;
    form.submit();
  }));
  // The page of a one-time link is confirmed by the browser of the user, not by a preview.
  each("form[data-press]", (form) => form.submit());

  // A rejected form shows its errors at the top. Their links do not change the URL: with a fragment,
  // the browser would forget that the page is the answer to a form, and Back would not return to it.
  document.getElementById("errors")?.focus();
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".form-errors a");
    const field = link && document.getElementById(link.hash.slice(1));
    const target = field?.matches("fieldset") ? field.querySelector("input") : field;
    if (!target) return;
    event.preventDefault();
    target.closest("details")?.setAttribute("open", "");
    target.focus();
  });

  // Texts can be copied. Without access to the clipboard, the text is selected instead.
  const announce = document.getElementById("announce");
  document.documentElement.classList.add("script");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    const text = button?.closest(".copyable").querySelector("pre");
    if (!text) return;
    try {
      await navigator.clipboard.writeText(text.textContent);
    } catch {
      getSelection().selectAllChildren(text);
      return;
    }
    const label = button.querySelector("span");
    label.textContent = announce.textContent = texts.textCopied;
    setTimeout(() => { label.textContent = texts.textCopy; announce.textContent = ""; }, 2000);
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") each("details.menu[open]", (menu) => menu.removeAttribute("open"));
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("details.menu")) each("details.menu[open]", (menu) => menu.removeAttribute("open"));
  });

  // A followed log: new lines are appended, and the oldest are removed. A hidden page closes its stream,
  // and reads the end of the log again when it is visible.
  each("pre[data-follow]", (log) => {
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

  // The result of a check is read again when its task changes, until the task has ended. The stream is
  // opened after the task was created, and may be interrupted, so the result is also read at intervals.
  const check = document.getElementById("check");
  if (check && window.htmx) {
    let source, timer = 0, followed = "", said = "";
    const read = () => htmx.trigger(document.body, "refresh");
    const follow = () => {
      const part = check.querySelector("[data-live]");
      if ((part?.dataset.live ?? "") === followed) return;
      followed = part?.dataset.live ?? "";
      source?.close();
      clearInterval(timer);
      if (!part) return;
      source = new EventSource(followed);
      source.onopen = read;
      source.addEventListener(part.dataset.signal, read);
      source.addEventListener("closed", () => source.close());
      timer = setInterval(read, 3000);
    };
    new MutationObserver((changes) => {
      if (changes.some((change) => change.target === check && change.type === "childList")) check.classList.remove("changed");
      follow();
      const text = check.querySelector(".badge:not(.busy), .notice strong")?.textContent ?? said;
      if (text !== said) announce.textContent = said = text;
    }).observe(check, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-live"] });
    check.previousElementSibling.addEventListener("input", () => check.classList.add("changed"));
    follow();
  }
  if (check?.dataset.check && window.htmx) {
    const form = check.previousElementSibling;
    const entries = () => new URLSearchParams(new FormData(form));
    const send = async (url, body) => {
      const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (answer.redirected) location.reload(); // The session has ended.
      return answer.redirected ? undefined : answer;
    };

    // A form without errors is checked when the user pauses, at most once in 2 seconds, one check at a time.
    let timer = 0, busy = false, checked = "", next = 0;
    const schedule = (delay = 800) => {
      clearTimeout(timer);
      timer = setTimeout(run, Math.max(delay, next - Date.now()));
    };
    const run = async () => {
      if (busy) return schedule();
      const body = entries(), sent = body.toString();
      if (sent === checked) return;
      body.set("auto", "1");
      body.set("former", check.querySelector("[data-task]")?.dataset.task ?? "");
      busy = true;
      try {
        const answer = await send(check.dataset.check, body);
        if (answer?.status === 200) {
          check.innerHTML = await answer.text();
          htmx.process(check);
          if (entries().toString() !== sent) setTimeout(() => check.classList.add("changed"));
        }
        if (answer?.status === 429) schedule(2000); else checked = sent;
      } catch { /* Without a connection, the button remains. */ }
      busy = false;
      next = Date.now() + 2000;
    };
    form.addEventListener("input", () => schedule());
    form.addEventListener("click", (event) => {
      if (!event.target.closest("button[formaction]")) return;
      clearTimeout(timer);
      checked = entries().toString();
      next = Date.now() + 2000;
    });

    // The server judges the fields that were changed.
    const changed = new Set([...form.querySelectorAll(".field")].filter((field) => field.querySelector(".error")));
    const judge = async () => {
      let states;
      try {
        const answer = await send(check.dataset.fields, entries());
        if (answer?.status !== 200) return;
        states = new DOMParser().parseFromString(await answer.text(), "text/html");
      } catch { return; } // Without a connection, the fields are judged when the form is submitted.
      form.querySelector("#values-notices")?.replaceChildren(...states.querySelectorAll("[data-notices]"));
      for (const field of form.querySelectorAll(".field")) {
        const control = field.matches("fieldset") ? field : field.querySelector("input[id], select[id], textarea[id]");
        if (!control) continue;
        if (field.hasAttribute("data-conditional")) field.hidden = !!states.querySelector(`[data-hidden="${control.id}"]`);
        if (!changed.has(field)) continue;
        const problem = states.querySelector(`[data-problem="${control.id}"]`)?.textContent, note = `${control.id}-problem`;
        field.querySelectorAll(".error").forEach((old) => old.remove());
        const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== note);
        if (problem) {
          field.append(Object.assign(document.createElement("p"), { className: "error", id: note, textContent: problem }));
          described.push(note);
        }
        if (problem && !field.matches("fieldset")) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid");
        if (described.length) control.setAttribute("aria-describedby", described.join(" ")); else control.removeAttribute("aria-describedby");
      }
    };
    form.addEventListener("change", (event) => {
      const field = event.target.closest(".field");
      if (field) changed.add(field);
      judge();
    });
    if (form.querySelector("[data-conditional]")) judge();

    // Another version has other inputs. Entries are kept, also those of inputs that only a former version has.
    const inputs = document.getElementById("input-part"), kept = new Map();
    let latest = 0;
    const keep = () => inputs.querySelectorAll("[name]").forEach((control) => {
      if (control.type !== "radio" || control.checked) kept.set(control.name, control.value);
    });
    const restore = (control) => {
      const value = kept.get(control.name);
      if (value === undefined) return;
      if (control.type === "radio") control.checked = control.value === value;
      else if (!control.options || [...control.options].some((option) => option.value === value)) control.value = value;
    };
    const showInputs = async () => {
      const number = ++latest;
      let text;
      try {
        const answer = await send(check.dataset.inputs, entries());
        if (answer?.status !== 200) return;
        text = await answer.text();
      } catch { return; } // Without a connection, the inputs are shown when the form is submitted.
      if (number !== latest) return;
      keep();
      const focused = inputs.contains(document.activeElement) ? document.activeElement.id : "";
      inputs.innerHTML = text;
      inputs.querySelectorAll("[name]").forEach(restore);
      if (focused) document.getElementById(focused)?.focus();
      for (const name of ["change", "input"]) form.dispatchEvent(new Event(name)); // The preview and the check begin again.
    };
    form.addEventListener("change", (event) => { if (inputs && event.target.matches("#version, #choice")) showInputs(); });

    // Values are judged when the user pauses. Default values are shown beside them, and can be copied.
    const values = form.querySelector("#values"), defaults = form.querySelector(".defaults");
    let pause = 0;
    values?.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => { changed.add(values.closest(".field")); judge(); }, 800);
    });
    const list = async () => {
      if (!defaults?.open) return;
      try {
        const answer = await send(defaults.dataset.defaults, entries());
        if (answer?.status === 200) defaults.lastElementChild.innerHTML = await answer.text();
      } catch { /* Without a connection, the link to the default values remains. */ }
    };
    defaults?.addEventListener("toggle", list);
    form.querySelector("#version, #choice")?.addEventListener("change", list);
    defaults?.addEventListener("click", async (event) => {
      const keys = event.target.closest("[data-keys]")?.dataset.keys;
      if (!keys) return;
      const body = entries();
      body.set("keys", keys);
      try {
        const answer = await send(defaults.dataset.copy, body);
        const text = answer ? await answer.text() : "";
        if (answer?.status !== 200) { announce.textContent = text; return; }
        values.value = text;
      } catch { return; } // Without a connection, nothing is copied.
      values.focus();
      values.dispatchEvent(new Event("input", { bubbles: true }));
      values.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  const stream = document.getElementById("stream");
  const badge = document.getElementById("live");
  if (!stream || !badge || !window.htmx) return;
  let connections = 0, lost = 0, last = new Date(), closed = "";
  const show = (state, text) => { badge.dataset.state = state; badge.textContent = text; };
  const refresh = () => htmx.trigger(document.body, "refresh");
  // The time counts from the end of the connection, not from the last attempt to connect again.
  const notLive = () => {
    if (lost && !closed) return;
    clearTimeout(lost);
    lost = setTimeout(() => {
      show("lost", `${texts.textNotLive} ${last.toLocaleTimeString(document.documentElement.lang)} `);
      const again = document.createElement("button");
      again.className = "plain";
      again.textContent = closed === "displaced" ? texts.textResume : texts.textRefresh;
      again.addEventListener("click", () => closed ? location.reload() : refresh());
      badge.append(again);
    }, closed ? 0 : 10000);
  };
  document.body.addEventListener("htmx:sse:after:connection", (event) => {
    if ((event.detail.connection?.status ?? 200) >= 400) return notLive();
    clearTimeout(lost);
    lost = 0;
    last = new Date();
    show("on", texts.textLive);
    // Changes in between were not signaled: read them, but not all pages at the same time.
    if (connections++) setTimeout(refresh, Math.random() * 2000);
  });
  stream.addEventListener("closed", (event) => {
    closed = event.detail?.data || "ended";
    if (closed === "ended") location.reload();
  });
  for (const name of ["htmx:sse:error", "htmx:sse:close", "htmx:sse:before:connection"])
    document.body.addEventListener(name, () => { if (badge.dataset.state !== "lost" && (connections || name !== "htmx:sse:before:connection")) notLive(); });

  // A part that the user is using is not replaced: it is read again when it is left.
  let waiting = false;
  const inUse = () => {
    const part = document.getElementById("part");
    const chosen = getSelection();
    return part && (part.querySelector("input:focus, select:focus, textarea:focus")
      || (chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode)));
  };
  document.body.addEventListener("htmx:before:request", (event) => {
    if (event.target.id === "part" && inUse()) { event.preventDefault(); waiting = true; }
  });
  for (const name of ["focusout", "selectionchange"])
    document.addEventListener(name, () => { if (waiting && !inUse()) { waiting = false; setTimeout(refresh, 100); } });

  // The state of the object on the page is announced when it changes, at most once in 5 seconds.
  const stateOf = () => document.querySelector("#part > .badges .badge")?.textContent;
  let state = stateOf(), said = 0;
  document.body.addEventListener("htmx:after:swap", () => {
    last = new Date();
    const now = stateOf();
    if (now && now !== state && Date.now() - said > 5000) { announce.textContent = now; said = Date.now(); }
    state = now;
  });
})();
