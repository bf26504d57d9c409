/** How the next token is drawn from the logits. Pure data; the maths lives in `inference/sampling`. */
export interface SamplingParams {
  /** 0 is greedy: the highest logit wins, the lowest id among equals. */
  readonly temperature: number
  /** Nucleus, in (0, 1]; 1 is off. */
  readonly topP: number
  /** Keep the k likeliest; 0 is off. */
  readonly topK: number
  /** Keep tokens at least this fraction as likely as the likeliest, in [0, 1]; 0 is off. */
  readonly minP: number
  /** Subtracted once from the logit of each token generated before. */
  readonly presencePenalty: number
  /** Subtracted from a logit for each time its token was generated before. */
  readonly frequencyPenalty: number
  /** Added to logits: [token id, bias in -100..100]; -100 and 100 act as ban and force. */
  readonly logitBias: readonly (readonly [tokenId: number, bias: number])[]
  /** Key of the noise, together with choice and position. Always set: where the client gave none, the API process draws it. A safe integer. */
  readonly seed: number
}

/** Greedy, with every filter, penalty and bias off: what a caller starts from that wants only some of them. */
export const PLAIN_SAMPLING: SamplingParams = {
  temperature: 0,
  topP: 1,
  topK: 0,
  minP: 0,
  presencePenalty: 0,
  frequencyPenalty: 0,
  logitBias: [],
  seed: 0
}
