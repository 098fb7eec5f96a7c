// The page: sends a voice to the server over WebRTC, and shows the face and plays the sound that come back.

import { ask, change, connect } from "./connection.js";
import { follow } from "./figures.js";
import { record } from "./recorder.js";
import { Sync } from "./sync.js";
import { microphone, nobody, Refused, soundFile } from "./voice.js";

const byId = (id) => document.getElementById(id);
const stage = byId("stage");
const face = byId("face");
const choices = ["puppet", "voice", "file"].map(byId); // fixed while the puppet is on

let stop = null; // ends what is going on, with a last sentence; null when nothing is
let sync = null; // of sound and picture, when they come
let stopRecording = null;
let setMuted = null; // of the voice that is on

function say(state, sentence) {
  stage.dataset.state = state;
  byId("status").textContent = sentence;
}

function voice() {
  const chosen = document.querySelector("input[name=voice]:checked").value;
  if (chosen === "file") return soundFile(byId("file").files[0]);
  return chosen === "microphone" ? microphone() : nobody();
}

async function start() {
  const ends = [];
  let stopped = false;
  stop = (sentence, state = "idle") => {
    stopped = true;
    stop = sync = null;
    ends.reverse().forEach((end) => end());
    choices.forEach((choice) => (choice.disabled = false));
    byId("start").textContent = "Start";
    say(state, sentence);
  };
  const mine = stop; // another run may have begun when something here ends late
  const lost = (sentence) => stop === mine && stop(sentence, "failed");
  const end = (what) => (stopped ? what() : ends.push(what));
  byId("start").textContent = "Stop";
  choices.forEach((choice) => (choice.disabled = true));
  byId("help").hidden = true;
  try {
    say("starting", "Waiting for the voice …");
    const speaker = await voice();
    end(speaker.close);
    if (stopped) return;
    say("starting", "Connecting …");
    const viewing = await connect(face, speaker.track, Number(byId("puppet").value));
    end(() => viewing.connection.close());
    end(viewing.leave);
    if (stopped) return;
    window.addEventListener("pagehide", viewing.leave, { once: true });
    end(() => window.removeEventListener("pagehide", viewing.leave));
    viewing.connection.onconnectionstatechange = () => {
      if (viewing.connection.connectionState === "failed") lost("The connection was lost. Press Start to try again.");
    };
    sync = new Sync((milliseconds) => change(viewing.session, { hold_ms: milliseconds }));
    applySound();
    say("starting", "Waiting for the puppet …");
    await Promise.all([face.play(), new Promise((shown) => face.requestVideoFrameCallback(shown))]);
    if (stopped) return;
    say("live", speaker.begin((sentence) => stop === mine && stop(sentence)));
    end(follow(face, viewing, sync, lost));
    if (speaker.track) end(letMute(speaker.track, viewing.session));
    byId("record").disabled = false;
    end(() => {
      stopRecording?.();
      byId("record").disabled = true;
    });
  } catch (error) {
    if (stopped) return;
    stop(error.message, "failed");
    byId("help").hidden = !(error instanceof Refused);
  }
}

// The button mutes this voice: nothing is sent, and the server lets the mouth rest without waiting for the silence.
// Returns what ends that.
function letMute(track, session) {
  const button = byId("mute");
  const sentence = byId("status").textContent;
  const show = (muted) => button.setAttribute("aria-pressed", muted);
  button.disabled = false;
  setMuted = (muted) => {
    track.enabled = !muted;
    change(session, { muted }).catch(() => {}); // it has ended, then
    show(muted);
    say("live", muted ? "Muted." : sentence);
  };
  return () => {
    setMuted = null;
    button.disabled = true;
    show(false);
  };
}

function toggleMute() {
  setMuted?.(byId("mute").getAttribute("aria-pressed") === "false");
}

function applySound() {
  face.muted = !byId("hear").checked;
  sync?.set(byId("hear").checked);
}

function voiceChanged() {
  const chosen = document.querySelector("input[name=voice]:checked").value;
  byId("choose").hidden = chosen !== "file";
  byId("hear").checked = chosen !== "microphone"; // one's own voice, late, is unpleasant
  applySound();
}

async function showPreview() {
  const response = await ask(`/puppets/${byId("puppet").value}/preview`);
  URL.revokeObjectURL(byId("preview").src);
  byId("preview").src = URL.createObjectURL(await response.blob());
}

async function showPuppets() {
  const puppets = await (await ask("/puppets")).json();
  byId("puppet").replaceChildren(...puppets.map(({ name }, number) => new Option(name, number)));
  byId("who").hidden = puppets.length < 2;
  await showPreview();
}

byId("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) stop("Stopped.");
  else start();
});
byId("voice").addEventListener("change", voiceChanged);
byId("puppet").addEventListener("change", showPreview);
byId("hear").addEventListener("change", applySound);

byId("mute").addEventListener("click", toggleMute);
document.addEventListener("keydown", ({ key, repeat, ctrlKey, altKey, metaKey, target }) => {
  const typed = ctrlKey || altKey || metaKey || repeat || target.matches("select, input[type=file]");
  if (key.toLowerCase() === "m" && !typed) toggleMute();
});

byId("record").addEventListener("click", () => {
  if (stopRecording) return stopRecording();
  const finish = record(face.srcObject);
  byId("record").textContent = "Stop recording";
  stopRecording = () => {
    stopRecording = null;
    byId("record").textContent = "Record";
    finish();
  };
});

byId("full").addEventListener("click", () => {
  if (document.fullscreenElement) document.exitFullscreen();
  else stage.requestFullscreen().catch(() => {});
});
document.addEventListener("fullscreenchange", () => {
  byId("full").textContent = document.fullscreenElement ? "Leave full screen" : "Full screen";
});

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (stop || !event.dataTransfer.files.length) return;
  byId("file").files = event.dataTransfer.files;
  document.querySelector("input[value=file]").checked = true;
  voiceChanged();
  say("idle", `Press Start to speak ${event.dataTransfer.files[0].name}.`);
});

showPuppets().catch((error) => say("failed", error.message));
