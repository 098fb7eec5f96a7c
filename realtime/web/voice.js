// Voices: {track, begin, close}. begin() is called when the puppet listens; ended() when a voice has nothing more to say.

export class Refused extends Error {} // the microphone, by the person or the browser

export async function microphone() {
  if (!navigator.mediaDevices)
    throw new Error("Browsers lend the microphone only to pages on this machine or over HTTPS: start the server with --cert and --key.");
  const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    if (error.name === "NotAllowedError") throw new Refused("The microphone was not allowed.");
    if (error.name === "NotFoundError") throw new Error("There is no microphone: connect one, or choose a sound file.");
    if (error.name === "NotReadableError") throw new Error("Another program holds the microphone: close it there and press Start.");
    throw new Error(`The microphone cannot be used (${error.message}).`);
  }
  const [track] = stream.getAudioTracks();
  return {
    track,
    begin: (ended) => {
      track.onended = () => ended("The microphone has gone. Connect it and press Start.");
      return "Live: the microphone is on. Speak!";
    },
    close: () => track.stop(),
  };
}

export async function soundFile(file) {
  if (!file) throw new Error("Choose a sound file first.");
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
    begin: (ended) => {
      player.start(context.currentTime + 0.3);
      player.onended = () => setTimeout(() => ended("That was all. Press Start to hear it again."), 1000);
      return `Speaking ${file.name}.`;
    },
    close: () => context.close(),
  };
}

export const nobody = async () => ({ track: null, begin: () => "Live: you are watching.", close: () => {} });
