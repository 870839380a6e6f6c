// Uploading a chart to a source.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { checkAccessibility, checkWidth, launch, newPage, open, paths, picture, signedIn, variants } from "./support.mjs";

let browser;
before(async () => { browser = await launch(); });
after(() => browser.close());

const uploadPath = `${paths["source-uploads"]}/upload`;

/** A tar header and the content of one file. */
function tarEntry(name, text) {
  const header = Buffer.alloc(512), content = Buffer.from(text);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write(content.length.toString(8).padStart(11, "0") + "\0", 124);
  header.write("00000000000\0", 136);
  header.write("        0ustar\x0000", 148);
  header.write(header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0") + "\0 ", 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - content.length % 512) % 512)]);
}

/** The archive of version 1.0.0 of a chart. */
function newArchive(name, text = "") {
  const chart = tarEntry(`${name}/Chart.yaml`, `apiVersion: v2\nname: ${name}\nversion: 1.0.0\n`);
  return gzipSync(Buffer.concat([chart, tarEntry(`${name}/templates/a.yaml`, `# ${text}\n`), Buffer.alloc(1024)]));
}

const select = (page, name, buffer) => page.locator("#chart").setInputFiles({ name: `${name}-1.0.0.tgz`, mimeType: "application/gzip", buffer });
const press = (page) => page.locator("#upload button.main").click();

/** Records the offsets of the parts that are sent. A request that only asks has none. */
function recordUploads(page) {
  const sent = [];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (request.method() === "PUT" && url.pathname.endsWith("/upload/part") && url.searchParams.has("offset")) sent.push(Number(url.searchParams.get("offset")));
  });
  return sent;
}

/** Calls handle with the requests that send a part, and their numbers. The first request only asks. */
async function routeParts(page, handle) {
  let count = 0;
  await page.route("**/upload/part?*", (route) => handle(route, count++));
}

for (const variant of variants) {
  test(`the page at ${variant.width} px, ${variant.colorScheme}, ${variant.locale}`, async (t) => {
    const context = await signedIn(browser, variant.options);
    t.after(() => context.close());
    const page = await newPage(context);
    for (const [name, path] of Object.entries({ upload: uploadPath, "upload-delete": `${paths["source-uploads"]}/charts/web-1.0.0.tgz/delete` })) {
      assert.equal((await open(page, path)).status(), 200, name);
      await picture(page, `${name}-${variant.suffix}`, true);
      await checkWidth(page, name);
      await checkAccessibility(page, name);
    }
    assert.deepEqual(page.faults, []);
  });
}

test("a chart is uploaded with progress, and is not sent again", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context), sent = recordUploads(page), archive = newArchive("shown");
  await open(page, uploadPath);
  await select(page, "shown", archive);
  let proceed;
  const held = new Promise((resolve) => { proceed = resolve; });
  await routeParts(page, async (route, number) => { if (number === 1) await held; await route.continue(); });
  await press(page);
  await page.locator("#upload-state").getByText("Uploading").waitFor();
  assert.ok(await page.locator("#upload progress").isVisible());
  assert.ok(await page.locator("#upload button.main").isDisabled());
  await checkAccessibility(page, "an upload in progress");
  proceed();
  await page.getByText("shown-1.0.0.tgz was uploaded").waitFor();
  assert.equal(sent.length, 1);

  await open(page, uploadPath);
  await select(page, "shown", archive);
  await press(page);
  await page.getByText("already has shown-1.0.0.tgz").waitFor();
  assert.equal(sent.length, 1, "known bytes are not sent again");

  await open(page, uploadPath);
  await select(page, "shown", newArchive("shown", "other"));
  await press(page);
  await page.locator("#upload-problem").getByText("allowOverwrite").waitFor();
  assert.ok(await page.locator("#upload button.main").isEnabled());
  assert.deepEqual(page.faults.filter((each) => !/status of 422/.test(each)), []);
});

test("an upload can be canceled, and a large file is not sent", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context), sent = recordUploads(page);
  await open(page, uploadPath);
  await routeParts(page, (route, number) => { if (number === 0) route.continue(); });
  await select(page, "canceled", newArchive("canceled"));
  await press(page);
  await page.locator("#upload-state").getByText("Uploading").waitFor();
  await page.locator("#upload-cancel").click();
  await page.locator("#upload-problem").getByText("canceled").waitFor();
  await select(page, "large", Buffer.alloc((16 << 20) + 1));
  await press(page);
  await page.locator("#upload-problem").getByText("larger than").waitFor();
  assert.deepEqual(sent, [0], "the large file is not sent");
});

test("an upload continues after a lost connection", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context), sent = recordUploads(page);
  const archive = newArchive("resumed", randomBytes(1_300_000).toString("base64"));
  assert.ok(archive.length > 1024 * 1024, "three parts");
  await open(page, uploadPath);
  await select(page, "resumed", archive);
  await routeParts(page, (route, number) => number === 2 ? route.abort("connectionreset") : route.continue());
  await press(page);
  await page.locator("#upload-state").getByText("The connection was lost").waitFor();
  await checkAccessibility(page, "an interrupted upload");
  await page.getByText("resumed-1.0.0.tgz was uploaded").waitFor();
  assert.deepEqual(sent, [0, 512 * 1024, 512 * 1024, 1024 * 1024], "only the part that was lost is sent again");
  assert.deepEqual(page.faults.filter((each) => !/ERR_CONNECTION_RESET/.test(each)), []);
});

test("an upload continues after the page was closed", async (t) => {
  const context = await signedIn(browser);
  t.after(() => context.close());
  const page = await newPage(context), sent = recordUploads(page);
  const archive = newArchive("reopened", randomBytes(1_300_000).toString("base64"));
  await open(page, uploadPath);
  await select(page, "reopened", archive);
  await routeParts(page, (route, number) => number < 2 ? route.continue() : route.abort("connectionreset"));
  await press(page);
  await page.locator("#upload-state").getByText("The connection was lost").waitFor();
  await page.close();

  const next = await newPage(context), rest = recordUploads(next);
  await open(next, uploadPath);
  await select(next, "reopened", archive);
  await press(next);
  await next.getByText("reopened-1.0.0.tgz was uploaded").waitFor();
  assert.deepEqual([sent, rest], [[0, 512 * 1024], [512 * 1024, 1024 * 1024]], "the first part is not sent again");
});

test("a chart is uploaded without JavaScript", async (t) => {
  const context = await signedIn(browser, { javaScriptEnabled: false });
  t.after(() => context.close());
  const page = await newPage(context);
  await open(page, uploadPath);
  await select(page, "plain", newArchive("plain"));
  await press(page);
  await page.getByText("plain-1.0.0.tgz was uploaded").waitFor();
  await page.getByRole("link", { name: "Delete plain-1.0.0.tgz" }).click();
  await page.locator("button.danger").click();
  await page.getByRole("heading", { level: 1, name: "Charts of uploads" }).waitFor();
  assert.equal(await page.getByText("plain-1.0.0.tgz").count(), 0);
});
