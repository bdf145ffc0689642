import type { Playback } from "../protocol.ts";
import { LevelMeter } from "./level.ts";
import playbackUrl from "./playback.worklet.ts?worker&url";

/** Plays the agent's PCM, and tells what of it was heard. */
export class Speaker {
  private readonly meter: LevelMeter;

  private constructor(
    context: AudioContext,
    private readonly node: AudioWorkletNode,
  ) {
    this.meter = new LevelMeter(context, node);
  }

  static async open(context: AudioContext, onPlayback: (playback: Playback) => void): Promise<Speaker> {
    await context.audioWorklet.addModule(playbackUrl);
    const node = new AudioWorkletNode(context, "player", { numberOfInputs: 0, outputChannelCount: [1] });
    node.port.onmessage = ({ data }: MessageEvent<Playback>) => onPlayback(data);
    node.connect(context.destination);
    return new Speaker(context, node);
  }

  play(pcm: ArrayBuffer): void {
    this.node.port.postMessage(pcm, [pcm]);
  }

  mark(id: string): void {
    this.node.port.postMessage({ mark: id });
  }

  clear(): void {
    this.node.port.postMessage("clear");
  }

  /** From 0 to 1. */
  level(): number {
    return this.meter.read();
  }
}
