// The server: requests with the token from the page's address, and the WebRTC connection.

const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token");
if (token) {
  sessionStorage.setItem("token", token); // for reloads; gone with the tab
  history.replaceState(null, "", location.pathname);
}

export async function ask(path, options = {}) {
  const headers = token ? { ...options.headers, Authorization: `Bearer ${token}` } : options.headers;
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Error("The server does not answer. Is it still running?");
  }
  if (!response.ok) throw new Error(await response.text());
  return response;
}

// Connects, and lets the tracks that come show in `video`. `track` is what is said, if anything is, by puppet number
// `puppet`. Returns {connection, session, leave}.
export async function connect(video, track, puppet) {
  const connection = new RTCPeerConnection({ iceServers: [] });
  try {
    connection.addTransceiver(track ?? "audio", { direction: track ? "sendrecv" : "recvonly" });
    connection.addTransceiver("video", { direction: "recvonly" });
    const tracks = new MediaStream();
    video.srcObject = tracks;
    connection.ontrack = (event) => tracks.addTrack(event.track);
    await connection.setLocalDescription();
    await gathered(connection);
    const { sdp, session } = await (track ? speak : watch)(connection.localDescription, puppet);
    const leave = () => ask(session, { method: "DELETE", keepalive: true }).catch(() => {});
    await connection.setRemoteDescription({ type: "answer", sdp });
    return { connection, session, leave };
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function speak({ type, sdp }, puppet) {
  const headers = { "Content-Type": "application/json" };
  const response = await ask("/offer", { method: "POST", headers, body: JSON.stringify({ type, sdp, puppet }) });
  const answer = await response.json();
  return { sdp: answer.sdp, session: `/sessions/${answer.id}` };
}

async function watch({ sdp }) {
  const response = await ask("/whep", { method: "POST", headers: { "Content-Type": "application/sdp" }, body: sdp });
  return { sdp: await response.text(), session: response.headers.get("Location").replace("/whep/", "/sessions/") };
}

// Changes a session. hold_ms: the browser holds each picture back for so long, none for the quickest picture, or as long
// as the sound takes. muted: whether the voice is silent and the mouth rests.
export function change(session, what) {
  const headers = { "Content-Type": "application/json" };
  return ask(session, { method: "PATCH", headers, body: JSON.stringify(what) });
}

function gathered(connection) {
  return new Promise((resolve) => {
    const check = () => connection.iceGatheringState === "complete" && resolve();
    connection.addEventListener("icegatheringstatechange", check);
    setTimeout(resolve, 2000);
    check();
  });
}
