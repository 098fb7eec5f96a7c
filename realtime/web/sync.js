// Keeps the picture as late as the sound, which the browser holds back as long as it thinks fit.

const START = 80; // ms; browsers begin with 40 to 80 for the sound, whatever the network
const LEAST = 30; // evens the pictures out
const MOST = 150; // more would be felt in a conversation
const WAY = 25; // ms that sound takes from the browser's buffer to the ear, more than a picture to the eye
const EARLY = -10; // ms that sound may be early …
const LATE = 30; // … or late, and nothing is done about it
const CALM = 3; // observations that must agree, once it is settled

export class Sync {
  #ask;
  #held = 0;
  #late = [];
  #needed = 1; // observations before something is done
  #before = null;

  // `ask` has the server say to the browser how many milliseconds to hold each picture back; it returns a promise.
  constructor(ask) {
    this.#ask = ask;
  }

  // The sound is heard, or not.
  set(sound) {
    this.#late = [];
    this.#needed = 1;
    this.#hold(sound ? START : 0);
  }

  // Takes the connection's statistics, and how many milliseconds the server sends sound after its picture; once a second.
  observe(stats, lag) {
    const sound = [...stats.values()].find((entry) => entry.type === "inbound-rtp" && entry.kind === "audio");
    const before = this.#before;
    this.#before = sound;
    const count = sound?.jitterBufferEmittedCount - before?.jitterBufferEmittedCount;
    if (!this.#held || !(count > 0)) return;
    const buffered = (1000 * (sound.jitterBufferDelay - before.jitterBufferDelay)) / count;
    this.#late.push(buffered + lag + WAY - this.#held);
    if (this.#late.length < this.#needed) return;
    const late = this.#late.sort((a, b) => a - b)[this.#needed >> 1];
    this.#late = [];
    this.#needed = CALM;
    if (late < EARLY || late > LATE) this.#hold(this.#held + late - (EARLY + LATE) / 2);
  }

  #hold(milliseconds) {
    const held = milliseconds && 10 * Math.round(Math.min(MOST, Math.max(LEAST, milliseconds)) / 10);
    if (held === this.#held) return;
    this.#held = held;
    this.#ask(held).catch(() => {}); // it has ended, then
  }
}
