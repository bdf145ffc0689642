import { CallError, microphoneProblem, problems } from "../problems.ts";
import captureUrl from "./capture.worklet.ts?worker&url";
import { LevelMeter } from "./level.ts";

const WANTED: MediaTrackConstraints = {
  channelCount: 1,
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
};

/** The caller's microphone. It stays open while a call reconnects. */
export class Microphone {
  private readonly meter: LevelMeter;
  private readonly source: MediaStreamAudioSourceNode;

  private constructor(
    private readonly context: AudioContext,
    stream: MediaStream,
    readonly track: MediaStreamTrack,
  ) {
    this.source = context.createMediaStreamSource(stream);
    this.meter = new LevelMeter(context, this.source);
  }

  /** Asks for the microphone. Throws a CallError that tells the caller why there is none and what to do. */
  static async open(context: AudioContext): Promise<Microphone> {
    // Browsers hide it from pages that came without TLS, except from this machine.
    if (!navigator.mediaDevices) throw new CallError(problems.insecure);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: WANTED });
      const track = stream.getAudioTracks()[0];
      if (!track) throw new CallError(problems.microphoneMissing);
      // The caller hung up while the browser asked.
      if (context.state === "closed") {
        track.stop();
        throw new CallError(problems.unexpected);
      }
      return new Microphone(context, stream, track);
    } catch (error) {
      throw error instanceof CallError ? error : new CallError(microphoneProblem(error));
    }
  }

  /** From 0 to 1. */
  level(): number {
    return this.meter.read();
  }

  /** A muted microphone goes on, with silence. */
  setMuted(muted: boolean): void {
    this.track.enabled = !muted;
  }

  /** Calls `onLost` when the device is taken away. */
  whenLost(onLost: () => void): void {
    this.track.addEventListener("ended", onLost, { once: true });
  }

  /** Gives every frame of the wire to `onFrame`, until the microphone is closed. */
  async capture(onFrame: (frame: ArrayBuffer) => void): Promise<void> {
    await this.context.audioWorklet.addModule(captureUrl);
    const node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0, channelCount: 1 });
    node.port.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => onFrame(data);
    this.source.connect(node);
  }

  close(): void {
    this.source.disconnect();
    this.track.stop();
  }
}
