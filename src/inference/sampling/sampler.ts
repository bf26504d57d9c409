import { invariant } from '../contract/invariant.ts'
import type { SamplingParams } from '../contract/sampling.ts'
import { Candidates } from './candidates.ts'
import { drawFromLogits, drawFromWeights } from './draw.ts'
import { skippable, sumExponentials } from './exponential.ts'
import { likeliest } from './likeliest.ts'
import { LogitEdits } from './logit-edits.ts'
import { uniform } from './noise.ts'
import type { SamplingScratch } from './sampling-scratch.ts'

/** Below it a temperature counts as 0, as in vLLM (`_SAMPLING_EPS`, vllm/v1/sample/sampler.py). */
const GREEDY_BELOW = 1e-5

/**
 * Draws the tokens of one choice. The draw is a pure function of logits, parameters, the tokens accepted before, and (seed, choice, position).
 *
 * Order, as vLLM (vllm/v1/sample/sampler.py and ops/topk_topp_sampler.py): penalties, bias → temperature → min_p → top_k → top_p, each over what
 * the one before has left and renormalised → one draw by inverse CDF. V is the vocabulary's size.
 */
export class Sampler {
  readonly #params: SamplingParams
  readonly #choice: number
  readonly #scratch: SamplingScratch
  readonly #edits: LogitEdits
  readonly #vocabularySize: number

  /** @param scratch made for the same vocabulary */
  constructor(params: SamplingParams, choice: number, vocabularySize: number, scratch: SamplingScratch) {
    invariant(scratch.edited.length === vocabularySize, 'the scratch was made for another vocabulary')
    this.#params = params
    this.#choice = choice
    this.#scratch = scratch
    this.#edits = new LogitEdits(params, vocabularySize)
    this.#vocabularySize = vocabularySize
  }

  /**
   * @param logits    float32 [V], raw; left as they are. NaN counts as -inf
   * @param position  of the new token within its choice, from 0: it keys the noise
   * @throws {ServiceError} `engine_failure` when no logit is finite, or one is +inf
   */
  pick(logits: Float32Array, position: number): number {
    invariant(logits.length === this.#vocabularySize, `${logits.length} logits for a vocabulary of ${this.#vocabularySize}`)
    const edited = this.#edits.apply(logits, this.#scratch.edited)
    const best = likeliest(edited)
    if (this.#params.temperature < GREEDY_BELOW) return best
    return this.#draw(edited, edited[best] ?? 0, uniform(this.#params.seed, this.#choice, position))
  }

  /** Records a generated token, for the penalties of those after it. */
  accept(tokenId: number): void {
    this.#edits.count(tokenId)
  }

  #draw(logits: Float32Array, max: number, noise: number): number {
    const { temperature, minP, topK, topP } = this.#params
    const inverse = 1 / temperature
    const isCutByRank = topK > 0 && topK < logits.length
    let cut = max - temperature * skippable(logits.length)
    if (minP > 0) cut = Math.max(cut, max + temperature * Math.log(minP))
    if (!isCutByRank && topP === 1) return drawFromLogits(logits, max, inverse, cut, this.#scratch.blockSums, noise)

    const candidates = new Candidates(logits, isCutByRank ? cut : Math.max(cut, this.#nucleusFloor(max)), this.#scratch)
    if (isCutByRank && candidates.count > topK) {
      candidates.weighEqually()
      candidates.keepLikeliest(topK)
    }
    candidates.weighByLogit(max, inverse)
    if (topP < 1) {
      const total = isCutByRank ? candidates.totalWeight : sumExponentials(logits, max, inverse, cut, 0, logits.length)
      candidates.keepLikeliest(topP * total)
    }
    return candidates.idAt(drawFromWeights(this.#scratch.weights, candidates.count, noise))
  }

  /**
   * No token of the nucleus has a lower logit. Weights are relative to the likeliest's, so the total is at least 1; V tokens that weigh less than
   * (1 - topP) / V each make less than 1 - topP of it, and the others reach topP without them.
   */
  #nucleusFloor(max: number): number {
    return max + this.#params.temperature * Math.log((1 - this.#params.topP) / this.#vocabularySize)
  }
}
