// Segment an image over REST: node segment.mjs IMAGE [URL]

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { parse } from "node:path";

/** The service's result: labelMap, size and image. */
async function segment(image, url) {
  const response = await fetch(`${url}/semantic-segmentation`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ image: image.toString("base64") }),
    signal: AbortSignal.timeout(100_000), // ms; the service gives up after 60 s
  }).catch((error) => {
    throw new Error(`no answer from ${url}: ${error.cause?.message || error.cause?.code || error.message}`);
  });
  const answer = await response.json().catch(() => null);
  if (typeof answer?.errorMsg !== "string") {
    throw new Error(`${url} answered ${response.status}, but not in the service's format`);
  }
  if (response.status !== 200) throw new Error(`${answer.errorCode}: ${answer.errorMsg}`);
  return answer.result;
}

async function main(path, url = "http://localhost:8080") {
  const result = await segment(await readFile(path), url);

  const [height, width] = result.size;
  const labels = Buffer.from(result.labelMap); // a class id for each pixel, row by row
  const { name } = parse(path);
  await writeFile(`${name}_labels.pgm`, Buffer.concat([Buffer.from(`P5 ${width} ${height} 255\n`), labels]));
  await writeFile(`${name}_picture.jpg`, Buffer.from(result.image, "base64"));
  console.log(`${name}_labels.pgm: ${width}x${height}, SHA-256 ${createHash("sha256").update(labels).digest("hex")}`);
}

const [path, url, ...more] = process.argv.slice(2);
if (path === undefined || more.length > 0) {
  console.error("usage: node segment.mjs IMAGE [URL]");
  process.exitCode = 2;
} else {
  await main(path, url).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
