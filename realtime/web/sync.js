// Keeps the picture as late as the sound, which the browser holds back as long as it thinks fit.

const START = 60; // ms; fits an idle machine
const MOST = 120; // more would be felt in a conversation
const SENT_LATER = 30; // ms that the server sends sound after its picture, on average
const EARLY = -10; // ms that sound may be early …
const LATE = 35; // … or late, and nothing is done about it

export class Sync {
  #ask;
  #held = 0;
  #late = [];

  // `ask` has the server say to the browser how many milliseconds to hold each picture back; it returns a promise.
  constructor(ask) {
    this.#ask = ask;
  }

  // The sound is heard, or not.
  set(sound) {
    this.#late = [];
    this.#hold(sound ? START : 0);
  }

  // Takes the connection's statistics, once a second.
  observe(stats) {
    if (!this.#held) return;
    const playing = {};
    for (const entry of stats.values()) if (entry.type === "inbound-rtp") playing[entry.kind] = entry.estimatedPlayoutTimestamp;
    if (!playing.audio || !playing.video) return;
    this.#late.push(playing.video - playing.audio + SENT_LATER);
    if (this.#late.length < 3) return;
    const late = this.#late.sort((a, b) => a - b)[1];
    this.#late = [];
    if (late < EARLY || late > LATE) this.#hold(Math.min(MOST, Math.max(START / 2, this.#held + late - (EARLY + LATE) / 2)));
  }

  #hold(milliseconds) {
    this.#held = 10 * Math.round(milliseconds / 10);
    this.#ask(this.#held).catch(() => {}); // it has ended, then
  }
}
