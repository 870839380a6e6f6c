// Weight and speed of the first visit.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, newPage, paths, signedIn, site } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

/** Bytes that the network carried for a page, by the type of the resource: the compressed bodies, and all of it with headers. */
async function weigh(page, path) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  const responses = new Map(), bodies = {};
  let all = 0;
  session.on("Network.responseReceived", ({ requestId, type, response }) => {
    responses.set(requestId, { type: response.url.includes("/live") ? "Stream" : type, headers: response.encodedDataLength });
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const { type, headers } = responses.get(requestId) ?? { type: "Other", headers: 0 };
    if (type === "Stream" || type === "Image" || encodedDataLength === 0) return; // A file in the cache of the browser has no bytes.
    bodies[type] = (bodies[type] ?? 0) + encodedDataLength - headers;
    all += encodedDataLength;
  });
  await page.goto(site.base + path, { waitUntil: "load" });
  await page.waitForTimeout(500);
  await session.detach();
  return { bodies, all };
}

test("the first visit of the list of apps weighs at most 60 kB, the second 10 kB", async (t) => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  const first = await weigh(page, "/apps");
  t.diagnostic(JSON.stringify(first));
  for (const [type, limit] of [["Document", 9000], ["Stylesheet", 8000], ["Script", 20000]]) {
    assert.ok(first.bodies[type] > 1000 && first.bodies[type] <= limit, `${type}: ${first.bodies[type]} of ${limit}`);
  }
  assert.ok(first.all <= 60000, `all ${first.all}`);
  const second = await weigh(page, "/apps");
  t.diagnostic(JSON.stringify(second));
  assert.ok(second.all <= 10000, `second visit ${second.all}`);
  await context.close();
});

test("the list is painted soon on a slow machine and connection, and does not move", async (t) => {
  const context = await signedIn(browser);
  const page = await newPage(context);
  await page.addInitScript(() => {
    window.seen = { paint: 0, shift: 0, longest: 0 };
    new PerformanceObserver((list) => list.getEntries().forEach((each) => { seen.paint = each.startTime; })).observe({ type: "largest-contentful-paint", buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach((each) => { seen.shift += each.value; })).observe({ type: "layout-shift", buffered: true });
    new PerformanceObserver((list) => list.getEntries().forEach((each) => { seen.longest = Math.max(seen.longest, each.duration); })).observe({ type: "longtask", buffered: true });
  });
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 0.75e6 / 8 });
  await session.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  for (const path of ["/apps", paths.instance]) {
    await page.goto(site.base + path, { waitUntil: "load" });
    await page.waitForTimeout(1500);
    const seen = await page.evaluate(() => window.seen);
    t.diagnostic(`${path.split("/")[1]}: largest paint after ${Math.round(seen.paint)} ms, layout shift ${seen.shift.toFixed(4)}, longest task ${Math.round(seen.longest)} ms`);
    assert.ok(seen.shift <= 0.02, `layout shift ${seen.shift}`);
    assert.ok(seen.paint > 0 && seen.paint <= 2000, `largest paint ${seen.paint}`);
  }
  await context.close();
});
