import { CALLER_FRAME, CALLER_RATE } from "../protocol.ts";
import { Framer, toPcm16 } from "./pcm.ts";
import { Resampler } from "./resampler.ts";

/** Posts the microphone's audio as frames of the wire, each an ArrayBuffer. */
class Capture extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, CALLER_RATE);
  private readonly framer = new Framer(CALLER_FRAME);

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (channel) {
      for (const frame of this.framer.push(this.resampler.push(channel))) {
        const bytes = toPcm16(frame);
        this.port.postMessage(bytes, [bytes]);
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
