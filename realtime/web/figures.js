// The numbers below the stage, once a second.

import { ask } from "./connection.js";

const byId = (id) => document.getElementById(id);

// Returns what ends it. `lost` is called with a sentence when the server has ended the session.
export function follow(video, { connection, session }, sync, lost) {
  let shown = 0;
  const server = { sum: 0, count: 0 };
  const buffer = { sum: 0, count: 0 };
  let before = { shown: 0, at: performance.now() };
  let following = true;
  const count = () => {
    shown += 1;
    if (following) video.requestVideoFrameCallback(count);
  };
  video.requestVideoFrameCallback(count);
  const timer = setInterval(async () => {
    const now = { shown, at: performance.now() };
    byId("rate").textContent = `${Math.round((1000 * (now.shown - before.shown)) / (now.at - before.at))} /s`;
    before = now;
    let report;
    try {
      report = await (await ask(session)).json();
    } catch {
      if (following) lost("The session has ended. Press Start to begin another.");
      return;
    }
    const stats = await connection.getStats();
    if (!following) return;
    sync.observe(stats, report.sound_lag_ms);
    const { mean_ms: mean, count: drawn } = report.stages.delay ?? { mean_ms: 0, count: 0 };
    const delay = since(server, mean * drawn, drawn) + onTheWay(stats, buffer);
    const dropped = Object.entries(report.counts).filter(([name]) => name.startsWith("frames_dropped"));
    byId("dropped").textContent = dropped.reduce((sum, [, number]) => sum + number, 0);
    if (!Number.isNaN(delay)) byId("delay").textContent = `${Math.round(delay)} ms`;
  }, 1000);
  return () => {
    following = false;
    clearInterval(timer);
    for (const id of ["delay", "rate", "dropped"]) byId(id).textContent = "–";
  };
}

// The mean of what was added to a sum since the last time; NaN if nothing was.
function since(last, sum, count) {
  const mean = (sum - last.sum) / (count - last.count);
  Object.assign(last, { sum, count });
  return mean;
}

// Milliseconds that the network and the browser's buffer add to the server's own delay.
function onTheWay(stats, buffer) {
  let sum = 0;
  for (const entry of stats.values()) {
    if (entry.type === "candidate-pair" && entry.nominated) sum += 1000 * (entry.currentRoundTripTime ?? 0);
    if (entry.type === "inbound-rtp" && entry.kind === "video")
      sum += since(buffer, 1000 * entry.jitterBufferDelay, entry.jitterBufferEmittedCount);
  }
  return sum;
}
