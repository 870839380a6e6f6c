// Weight and speed of the first visit.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage, paths, signedIn, site } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** Bytes that the network carried for a page, by the type of the resource. */
async function weigh(page, path) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const types = new Map(), sizes = {};
  session.on("Network.responseReceived", (event) => types.set(event.requestId, event.response.url.includes("/live") ? "Stream" : event.type));
  session.on("Network.loadingFinished", (event) => {
    const type = types.get(event.requestId) ?? "Other";
    sizes[type] = (sizes[type] ?? 0) + event.encodedDataLength;
  });
  await page.goto(site.base + path, { waitUntil: "load" });
  await page.waitForTimeout(500);
  await session.detach();
  return sizes;
}

test("the first visit of the list of apps weighs at most 60 kB, the second 10 kB", async (t) => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  const total = (sizes) => Object.entries(sizes).reduce((sum, [type, size]) => ["Stream", "Image"].includes(type) ? sum : sum + size, 0);
  const first = await weigh(page, "/apps");
  t.diagnostic(JSON.stringify(first));
  assert.ok(first.Document <= 9000 + 700, `HTML ${first.Document}`);
  assert.ok(first.Stylesheet <= 8000 + 700, `CSS ${first.Stylesheet}`);
  assert.ok(first.Script <= 20000 + 2100, `scripts ${first.Script}`);
  assert.ok(total(first) <= 60000, `all ${total(first)}`);
  const second = await weigh(page, "/apps");
  t.diagnostic(JSON.stringify(second));
  assert.ok(total(second) <= 10000, `second visit ${total(second)}`);
  await context.close();
});

test("the list is painted soon on a slow machine and connection, and does not move", async (t) => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  await page.addInitScript(() => {
    window.seen = { paint: 0, shift: 0, longest: 0 };
    new PerformanceObserver((list) => list.getEntries().forEach((each) => { seen.paint = each.startTime; })).observe({ type: "largest-contentful-paint", buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach((each) => { seen.shift += each.value; })).observe({ type: "layout-shift", buffered: true });
  });
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  for (const path of ["/apps", paths.instance]) {
    await page.goto(site.base + path, { waitUntil: "load" });
    await page.waitForTimeout(1500);
    const seen = await page.evaluate(() => window.seen);
    t.diagnostic(`${path.split("/")[1]}: largest paint after ${Math.round(seen.paint)} ms, layout shift ${seen.shift.toFixed(4)}`);
    assert.ok(seen.shift <= 0.02, `layout shift ${seen.shift}`);
    assert.ok(seen.paint > 0 && seen.paint <= 2000, `largest paint ${seen.paint}`);
  }
  await context.close();
});
