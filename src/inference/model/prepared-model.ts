/** What the caller may ask for. */
export type QuantizationChoice = 'auto' | 'none' | 'int8'

/** A model ready to be loaded. Plain data: crosses IPC. */
export interface PreparedModel {
  /** The ONNX model; its weights lie beside it. */
  readonly graphPath: string
  /** The file that it was made from: a GGUF file holds its tokenizer too, a checkpoint has it in the same folder. */
  readonly sourcePath: string
  /** Identifies weights, quantization and graph: two workers with the same hash answer alike. */
  readonly modelHash: string
  readonly architecture: string
  /** Weights, all tensors together. */
  readonly parameters: number
  readonly vocabularySize: number
  /** Tokens, prompt and continuation together. */
  readonly contextLength: number
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  /** Keys and values of all layers, float32. */
  readonly cacheBytesPerToken: number
  readonly quantization: 'none' | 'int8'
}
