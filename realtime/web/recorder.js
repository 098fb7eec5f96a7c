// Records what is seen and heard, in the browser, and saves it as a file.

const KINDS = ["video/mp4;codecs=avc1.42E01F,opus", "video/webm;codecs=vp8,opus", "video/webm"];

// Returns what stops the recording and saves it.
export function record(stream) {
  const mimeType = KINDS.find((kind) => MediaRecorder.isTypeSupported(kind));
  const recorder = new MediaRecorder(stream, { mimeType });
  const pieces = [];
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => save(new Blob(pieces, { type: recorder.mimeType }));
  recorder.start(1000);
  return () => recorder.state !== "inactive" && recorder.stop();
}

function save(blob) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const ending = blob.type.startsWith("video/mp4") ? "mp4" : "webm";
  link.download = `marotte-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.${ending}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
