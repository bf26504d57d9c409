import { invariant } from '../contract/invariant.ts'
import { type ChunkPlan, type LogitSelection, type PromptProgress, planChunk } from './prefill-chunk.ts'

/** Limits of one engine, constant while it runs. */
export interface SchedulerLimits {
  /** Most tokens of a prefill chunk while rows decode; bounds the pause of running streams. At least 3. */
  readonly chunkTokens: number
  /** Most tokens of a prefill chunk while no row decodes. At least 3. */
  readonly loneChunkTokens: number
  /** 2 where a single row is in another numeric class than a row in a batch: a dummy row is added to it. */
  readonly minDecodeRows: 1 | 2
}

/**
 * Free rows and positions of the cache. Stored prefixes and orphaned rows are not counted: reservations evict them.
 */
export interface CacheRoom {
  readonly freeRows: number
  readonly reservedTokens: number
  readonly budgetTokens: number
}

/** The prompt in prefill. */
export interface PrefillState extends PromptProgress {
  readonly row: number
  readonly logits: LogitSelection
}

/** A sequence that is to continue in the row that a killed process left. */
export interface ResumedSequence {
  readonly promptTokens: number
  /** Prompt and generated tokens, computed or not. */
  readonly knownTokens: number
  readonly reservedTokens: number
  /** null after it was dropped. */
  readonly orphan: { readonly row: number; readonly computed: number } | null
}

/** Choices of one prompt that wait for rows. */
export interface WaitingGroup {
  readonly choices: readonly unknown[]
  /** Positions that each choice reserves. */
  readonly reservedTokens: number
}

/** The engine's state between two runs, in numbers: no tensors, no requests, no clock. */
export interface SchedulerState {
  readonly limits: SchedulerLimits
  readonly room: CacheRoom
  /** Rows 0..decodingRows-1 take part in a decode step. */
  readonly decodingRows: number
  /** The last run was a prefill chunk while rows decode: a decode step is next. */
  readonly isDecodeDue: boolean
  /** At most one prompt is in prefill; null if there is none. */
  readonly prompt: PrefillState | null
  readonly resumed: readonly ResumedSequence[]
  /** In order of arrival. */
  readonly waiting: readonly WaitingGroup[]
}

/** `resumed[index]` starts to decode in its orphaned row, of which `positions` positions are used. */
export interface AttachPlan {
  readonly kind: 'attach'
  readonly index: number
  readonly positions: number
}

/** `resumed[index]` cannot use its orphaned row and is recomputed: it joins the end of the wait queue. */
export interface RequeuePlan {
  readonly kind: 'requeue'
  readonly index: number
}

/** The first `choices` choices of the first waiting group share a prefill. */
export interface AdmitPlan {
  readonly kind: 'admit'
  readonly choices: number
}

export interface PrefillPlan extends ChunkPlan {
  readonly kind: 'prefill'
  readonly row: number
}

export interface DecodePlan {
  readonly kind: 'decode'
  /** Rows 0..rows-1. */
  readonly rows: number
  /** Rows after them whose result is discarded. */
  readonly dummyRows: 0 | 1
}

/** Nothing to do until a request is submitted. */
export interface WaitPlan {
  readonly kind: 'wait'
}

/** `attach`, `requeue` and `admit` change the state without a run: the engine applies them, then plans again. */
export type StepPlan = AttachPlan | RequeuePlan | AdmitPlan | PrefillPlan | DecodePlan | WaitPlan

/**
 * Decides the next step. Decode steps and prefill chunks alternate, so that running streams never wait longer than one
 * chunk. Between prompts, resumed sequences come first, since they need no computation; then waiting groups, first
 * come, first served: a group that does not fit yet blocks those after it, so that small requests do not starve a large
 * one.
 */
export function planStep(state: SchedulerState): StepPlan {
  const { prompt, decodingRows, waiting } = state
  if (state.isDecodeDue && decodingRows > 0) return decode(state)
  if (prompt !== null) return prefill(prompt, state)
  const resumed = lowestRow(state.resumed)
  if (resumed !== null) return resume(resumed, state)
  const choices = admissible(waiting[0], state.room)
  if (choices > 0) return { kind: 'admit', choices }
  if (decodingRows > 0) return decode(state)
  invariant(waiting.length === 0, 'a request waits for a row although no row is in use')
  return { kind: 'wait' }
}

/** Whether a sequence can decode in its orphaned row: the row contains its whole prompt. */
export function isResumable(sequence: ResumedSequence): boolean {
  return reusablePositions(sequence) >= sequence.promptTokens
}

/** Number of sequences with `tokens` reserved positions each that fit at the same time. */
export function roomFor({ freeRows, reservedTokens, budgetTokens }: CacheRoom, tokens: number): number {
  return Math.min(freeRows, Math.floor((budgetTokens - reservedTokens) / tokens))
}

function decode({ decodingRows, limits }: SchedulerState): DecodePlan {
  return { kind: 'decode', rows: decodingRows, dummyRows: decodingRows < limits.minDecodeRows ? 1 : 0 }
}

function prefill(prompt: PrefillState, { decodingRows, limits }: SchedulerState): PrefillPlan {
  const chunkTokens = decodingRows > 0 ? limits.chunkTokens : limits.loneChunkTokens
  return { kind: 'prefill', row: prompt.row, ...planChunk(prompt, chunkTokens, prompt.logits) }
}

function resume(index: number, { resumed, room }: SchedulerState): AttachPlan | RequeuePlan {
  const sequence = resumed[index]
  invariant(sequence !== undefined, `there is no resumed sequence ${index}`)
  const fits = isResumable(sequence) && roomFor(room, sequence.reservedTokens) > 0
  return fits ? { kind: 'attach', index, positions: reusablePositions(sequence) } : { kind: 'requeue', index }
}

function admissible(group: WaitingGroup | undefined, room: CacheRoom): number {
  return group === undefined ? 0 : Math.min(group.choices.length, Math.max(0, roomFor(room, group.reservedTokens)))
}

/** The last known token is always recomputed: its logits were lost with the process. */
function reusablePositions({ orphan, knownTokens }: ResumedSequence): number {
  return Math.min(orphan?.computed ?? 0, knownTokens - 1)
}

/**
 * Index of the resumed sequence with the lowest orphaned row; null if there is none. Rows of the same cache that are
 * attached in row order need no copy.
 */
function lowestRow(resumed: readonly ResumedSequence[]): number | null {
  let lowest: number | null = null
  for (const [index, { orphan }] of resumed.entries()) {
    if (lowest === null || (orphan?.row ?? 0) < (resumed[lowest]?.orphan?.row ?? 0)) lowest = index
  }
  return lowest
}
