// The page: sends a voice to the server over WebRTC, and shows the face and plays the sound that come back.

const byId = (id) => document.getElementById(id);
const stage = byId("stage");
const face = byId("face");
const button = byId("start");
const hear = byId("hear");

let stop = null; // ends what is going on, with a last sentence; null when nothing is

function say(state, sentence) {
  stage.dataset.state = state;
  byId("status").textContent = sentence;
}

function chosenVoice() {
  return document.querySelector("input[name=voice]:checked").value;
}

// A voice is {track, begin, close}: begin() is called when somebody listens.

async function microphone() {
  say("starting", "Waiting for your permission to use the microphone …");
  const constraints = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: constraints });
  } catch (error) {
    const known = { NotAllowedError: "The microphone was not allowed.", NotFoundError: "There is no microphone." };
    throw new Error(known[error.name] ?? `The microphone cannot be used (${error.message}).`);
  }
  const [track] = stream.getAudioTracks();
  return { track, begin: () => say("live", "Live: the microphone is on. Speak!"), close: () => track.stop() };
}

async function soundFile() {
  const [file] = byId("file").files;
  if (!file) throw new Error("Choose a sound file first.");
  say("starting", `Reading ${file.name} …`);
  const context = new AudioContext();
  let sound;
  try {
    sound = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    await context.close();
    throw new Error(`${file.name} cannot be read as sound.`);
  }
  const player = new AudioBufferSourceNode(context, { buffer: sound });
  const outlet = new MediaStreamAudioDestinationNode(context);
  player.connect(outlet);
  return {
    track: outlet.stream.getAudioTracks()[0],
    begin: () => {
      say("live", `Speaking ${file.name}.`);
      player.start(context.currentTime + 0.3);
      player.onended = () => setTimeout(() => stop?.("That was all. Press Start to hear it again."), 1000);
    },
    close: () => context.close(),
  };
}

async function connect(track) {
  say("starting", "Connecting …");
  const connection = new RTCPeerConnection({ iceServers: [] });
  connection.addTransceiver(track, { direction: "sendrecv" });
  connection.addTransceiver("video", { direction: "recvonly" });
  const pictures = new MediaStream();
  face.srcObject = pictures;
  connection.ontrack = (event) => pictures.addTrack(event.track);
  await connection.setLocalDescription();
  await gathered(connection);
  const response = await fetch("/offer", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(connection.localDescription),
  });
  if (!response.ok) {
    connection.close();
    throw new Error(await response.text());
  }
  const answer = await response.json();
  await connection.setRemoteDescription({ type: answer.type, sdp: answer.sdp });
  return { connection, session: `/sessions/${answer.id}` };
}

function gathered(connection) {
  return new Promise((resolve) => {
    const check = () => connection.iceGatheringState === "complete" && resolve();
    connection.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, 2000);
    check();
  });
}

function firstPicture() {
  return new Promise((resolve) => face.requestVideoFrameCallback(resolve));
}

async function start() {
  const ends = [];
  stop = (sentence, state = "idle") => {
    stop = null;
    ends.reverse().forEach((end) => end());
    byId("voice").disabled = byId("file").disabled = false;
    button.textContent = "Start";
    say(state, sentence);
  };
  button.textContent = "Stop";
  byId("voice").disabled = byId("file").disabled = true;
  try {
    const voice = await (chosenVoice() === "file" ? soundFile() : microphone());
    ends.push(voice.close);
    if (!stop) return voice.close();
    const { connection, session } = await connect(voice.track);
    ends.push(() => connection.close());
    const leave = () => fetch(session, { method: "DELETE", keepalive: true }).catch(() => {});
    ends.push(leave);
    if (!stop) return void [connection.close(), leave()];
    window.addEventListener("pagehide", leave, { once: true });
    ends.push(() => window.removeEventListener("pagehide", leave));
    connection.onconnectionstatechange = () => {
      if (connection.connectionState === "failed") stop?.("The connection was lost. Press Start to try again.", "failed");
    };
    face.muted = !hear.checked;
    say("starting", "Waiting for the puppet …");
    await Promise.all([face.play(), firstPicture()]);
    if (!stop) return;
    voice.begin();
    ends.push(watch(connection, session));
  } catch (error) {
    stop?.(error.message, "failed");
  }
}

// The numbers below the stage, once a second. Returns what ends it.
function watch(connection, session) {
  let shown = 0;
  let before = { shown: 0, at: performance.now() };
  let watching = true;
  const count = () => {
    shown += 1;
    if (watching) face.requestVideoFrameCallback(count);
  };
  face.requestVideoFrameCallback(count);
  const timer = setInterval(async () => {
    const now = { shown, at: performance.now() };
    byId("rate").textContent = `${Math.round((1000 * (now.shown - before.shown)) / (now.at - before.at))} /s`;
    before = now;
    const response = await fetch(session).catch(() => null);
    if (!watching) return;
    if (!response?.ok) return stop?.("The server has ended the session. Press Start to try again.", "failed");
    const { counts, stages } = await response.json();
    const dropped = Object.entries(counts).filter(([name]) => name.startsWith("frames_dropped"));
    byId("dropped").textContent = dropped.reduce((sum, [, number]) => sum + number, 0);
    if (stages.delay) byId("delay").textContent = `${Math.round(stages.delay.p50_ms + (await onTheWay(connection)))} ms`;
  }, 1000);
  return () => {
    watching = false;
    clearInterval(timer);
    for (const id of ["delay", "rate", "dropped"]) byId(id).textContent = "–";
  };
}

// Milliseconds that the network and the browser's buffer add to the server's own delay.
async function onTheWay(connection) {
  let sum = 0;
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === "candidate-pair" && entry.nominated) sum += 1000 * (entry.currentRoundTripTime ?? 0);
    if (entry.type === "inbound-rtp" && entry.kind === "video" && entry.jitterBufferEmittedCount)
      sum += (1000 * entry.jitterBufferDelay) / entry.jitterBufferEmittedCount;
  }
  return sum;
}

byId("controls").addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) stop("Stopped.");
  else start();
});
byId("voice").addEventListener("change", () => {
  const file = chosenVoice() === "file";
  byId("choose").hidden = !file;
  hear.checked = file; // one's own voice, late, is unpleasant
});
hear.addEventListener("change", () => (face.muted = !hear.checked));
