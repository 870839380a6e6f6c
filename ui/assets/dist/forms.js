// Checks of a form while the user types. Without it, the form has a button that checks it.
(() => {
  "use strict";
  const announce = document.getElementById("announce");
  const check = document.getElementById("check"), form = check?.previousElementSibling;
  if (!form || !window.htmx) return;

  const entries = () => new URLSearchParams(new FormData(form));
  const send = async (url, body) => {
    const answer = await fetch(url, { method: "POST", body, headers: { "HX-Request": "true" } });
    if (answer.redirected) location.reload(); // The session has ended.
    return answer.redirected ? undefined : answer;
  };

  // The result of a check is read again when its task changes, until the task has ended. The stream is
  // opened after the task was created, and may be interrupted, so the result is also read at intervals.
  const followCheck = () => {
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
    form.addEventListener("input", () => check.classList.add("changed"));
    follow();
  };

  // A form without errors is checked when the user pauses, at most once in 2 seconds, one check at a time.
  const checkOnPause = () => {
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
  };

  // The list of errors at the top loses those that are corrected.
  const updateErrors = (states) => {
    const errors = document.getElementById("errors"), heading = errors?.querySelector("[data-one]");
    if (!heading) return;
    errors.querySelectorAll("li").forEach((line) => {
      const id = line.querySelector("a").hash.slice(1);
      if (!states.querySelector(`[data-problem="${id}"]`)) line.remove();
    });
    const count = errors.querySelectorAll("li").length;
    if (!count) errors.remove();
    heading.textContent = count === 1 ? heading.dataset.one : heading.textContent.replace(/\d+/, count);
  };

  // The problem of a field stands below it, and describes its control.
  const showProblem = (field, control, problem) => {
    const note = `${control.id}-problem`;
    field.querySelectorAll(".error").forEach((old) => old.remove());
    const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter((id) => id && id !== note);
    if (problem) {
      field.append(Object.assign(document.createElement("p"), { className: "error", id: note, textContent: problem }));
      described.push(note);
    }
    if (problem && !field.matches("fieldset")) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid");
    if (described.length) control.setAttribute("aria-describedby", described.join(" ")); else control.removeAttribute("aria-describedby");
  };

  // The server validates the fields that were changed. Returns the function that has a field validated.
  const validateOnChange = () => {
    const changed = new Set([...form.querySelectorAll(".field")].filter((field) => field.querySelector(".error")));
    const validate = async (field) => {
      if (field) changed.add(field);
      let states;
      try {
        const answer = await send(check.dataset.fields, entries());
        if (answer?.status !== 200) return;
        states = new DOMParser().parseFromString(await answer.text(), "text/html");
      } catch { return; } // Without a connection, the fields are validated when the form is submitted.
      updateErrors(states);
      form.querySelector("#values-notices")?.replaceChildren(...states.querySelectorAll("[data-notices]"));
      for (const each of form.querySelectorAll(".field")) {
        const control = each.matches("fieldset") ? each : each.querySelector("input[id], select[id], textarea[id]");
        if (!control) continue;
        if (each.hasAttribute("data-conditional")) each.hidden = !!states.querySelector(`[data-hidden="${control.id}"]`);
        if (changed.has(each)) showProblem(each, control, states.querySelector(`[data-problem="${control.id}"]`)?.textContent);
      }
    };
    form.addEventListener("change", (event) => {
      if (event.target.id === "to") changed.add(form.querySelector("#name")?.closest(".field")); // It may be used in another namespace.
      validate(event.target.closest(".field"));
    });
    if (form.querySelector("[data-conditional]")) validate();
    return validate;
  };

  // Another version has other inputs. Entries are kept, also for inputs that only an earlier version has.
  const replaceInputs = () => {
    const inputs = document.getElementById("input-part"), kept = new Map();
    if (!inputs) return;
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
    form.addEventListener("change", async (event) => {
      if (!event.target.matches("#version, #choice")) return;
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
    });
  };

  // Values are validated when the user pauses. Default values are shown next to them, and can be copied.
  const helpWithValues = (validate) => {
    const values = form.querySelector("#values"), defaults = form.querySelector(".defaults");
    let pause = 0;
    values?.addEventListener("input", () => {
      clearTimeout(pause);
      pause = setTimeout(() => validate(values.closest(".field")), 800);
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
      for (const name of ["input", "change"]) values.dispatchEvent(new Event(name, { bubbles: true }));
    });
  };

  // An editor hides the text field for values when the user opens it.
  const openEditor = () => {
    const values = form.querySelector("#values"), part = values?.closest("details");
    let address = values?.dataset.editor;
    const open = async () => {
      if (!address || !part.open) return;
      try {
        const loading = import(address);
        address = ""; // It is opened once.
        (await loading).edit(values, values.labels[0].textContent.trim());
      } catch { /* Without a connection, the text field remains. */ }
    };
    part?.addEventListener("toggle", open);
    open();
  };

  followCheck();
  openEditor();
  if (!check.dataset.check) return;
  checkOnPause();
  const validate = validateOnChange();
  replaceInputs();
  helpWithValues(validate);
})();
