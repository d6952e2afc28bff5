// container.js URL ACCOUNT KEY CONTAINER makes a container, unless it is there, by a
// request that is signed as learn.microsoft.com tells under "Authorize with Shared Key".
const crypto = require("crypto");
const [url, account, key, container] = process.argv.slice(2);
const path = `/${account}/${container}`;
const headers = { "x-ms-date": new Date().toUTCString(), "x-ms-version": "2021-12-02" };
const text = "PUT" + "\n".repeat(12) +
  Object.entries(headers).map(([name, value]) => `${name}:${value}\n`).join("") +
  `/${account}${path}\nrestype:container`;
const signature = crypto.createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
headers.Authorization = `SharedKey ${account}:${signature}`;
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0"; // it is our own, of a moment ago
process.removeAllListeners("warning");
const request = require(url.startsWith("https") ? "https" : "http").request(
  `${url}${path}?restype=container`, { method: "PUT", headers, timeout: 5000 },
  (answer) => process.exit([201, 409].includes(answer.statusCode) ? 0 : 1));
request.on("error", () => process.exit(1)).end();
