// What a page does while it is open: announcements, lists with new entries, and parts that take their time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkAccessibility, control, eventually, launch, newPage, open, paths, signedIn } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

async function openLive(t, path) {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, path);
  assert.ok(await eventually(async () => (await page.locator("#live").innerText()) === "Live", 8000), "the page is live");
  return page;
}

test("each last state is announced, also after a change within 5 s", async (t) => {
  const page = await openLive(t, paths["instance-running"]);
  const announced = () => page.locator("#announce").textContent();
  await control("state", {});
  assert.ok(await eventually(async () => (await announced()) === "Unhealthy"), "the first change is announced");
  await control("state", { ready: "yes" });
  assert.ok(await eventually(async () => /Running/.test(await page.locator("#part > .badges").innerText())), "the change is shown");
  assert.equal(await announced(), "Unhealthy", "the second change is not announced at once");
  assert.ok(await eventually(async () => (await announced()) === "Running", 8000), "it is announced later");
  assert.deepEqual(page.faults, []);
});

test("a new entry of a list waits until it is shown", async (t) => {
  const page = await openLive(t, "/instances");
  t.after(() => control("remove-instance", { name: "newcomer" }));
  const first = page.locator("tbody tr").first();
  const before = await first.getAttribute("id");
  await control("instance", { name: "newcomer" });
  const show = page.getByRole("button", { name: "Show", exact: true });
  assert.ok(await eventually(() => show.isVisible()), "the notice is shown");
  assert.match(await page.locator(".waiting-rows").innerText(), /Changes in the list: 1 · Show/);
  assert.equal(await first.getAttribute("id"), before, "the rows have not moved");
  await control("message", { text: "changed while an entry waits" });
  assert.ok(await eventually(async () => (await page.locator("#part").innerText()).includes("changed while an entry waits")), "known entries change");
  assert.equal(await first.getAttribute("id"), before);
  await checkAccessibility(page, "a list with a new entry that waits");
  await show.click();
  assert.ok(await eventually(async () => /0 newcomer/.test(await first.innerText())), "the entry is shown");
  assert.equal(await show.count(), 0);
  assert.deepEqual(page.faults, []);
});

test("a part that takes longer than 200 ms is marked as busy", async (t) => {
  const page = await openLive(t, paths.instance);
  const part = page.locator("#part");
  let release;
  const released = new Promise((resolve) => { release = resolve; });
  await page.route(/\/parts\//, async (route) => {
    await released;
    await route.continue();
  });
  await control("message", { text: "slow" });
  assert.ok(await eventually(async () => (await part.getAttribute("aria-busy")) === "true"), "it is busy");
  assert.notEqual(await part.evaluate((element) => getComputedStyle(element, "::before").height), "auto", "it has a bar");
  release();
  assert.ok(await eventually(async () => (await part.getAttribute("aria-busy")) === null), "it is not busy any more");
  await page.unrouteAll({ behavior: "ignoreErrors" });
  assert.deepEqual(page.faults, []);
});
