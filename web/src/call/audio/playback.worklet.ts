import { AGENT_RATE, type Playback } from "../protocol.ts";
import { JitterBuffer } from "./jitterBuffer.ts";
import { fromPcm16 } from "./pcm.ts";
import { Resampler } from "./resampler.ts";

/** Plays what is posted to it: PCM of the wire as ArrayBuffers, `{mark: id}` and "clear". Posts a `Playback` each. */
class Player extends AudioWorkletProcessor {
  private readonly buffer = new JitterBuffer(sampleRate);
  private resampler = new Resampler(AGENT_RATE, sampleRate);

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ArrayBuffer | { mark: string } | "clear">) => {
      if (data === "clear") {
        this.resampler = new Resampler(AGENT_RATE, sampleRate);
        this.tell(this.buffer.clear());
      } else if (data instanceof ArrayBuffer) {
        this.buffer.push(this.resampler.push(fromPcm16(data)));
      } else {
        this.tell(this.buffer.mark(data.mark));
      }
    };
  }

  process(_: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channel = outputs[0]?.[0];
    if (channel) this.tell(this.buffer.read(channel));
    return true;
  }

  private tell(answers: Playback[]): void {
    for (const answer of answers) this.port.postMessage(answer);
  }
}

registerProcessor("player", Player);
