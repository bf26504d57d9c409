import { invariant } from '../contract/invariant.ts'
import { type ChunkPlan, type LogitSelection, type PromptProgress, planChunk } from './prefill-chunk.ts'

/** Constants of one engine. */
export interface SchedulerLimits {
  /** Most tokens of a prefill chunk while rows decode: the longest that running streams wait. At least 3. */
  readonly chunkTokens: number
  /** Most tokens of a prefill chunk while no row decodes. At least 3. */
  readonly loneChunkTokens: number
  /** 2 where a lone row is in another numeric class than a row in a batch: a dummy row joins it. */
  readonly minDecodeRows: 1 | 2
}

/**
 * Free rows and positions of the cache. Stored prefixes and orphaned rows are not counted: they give way to
 * reservations.
 */
export interface CacheRoom {
  readonly freeRows: number
  readonly reservedTokens: number
  readonly budgetTokens: number
}

/** The prompt whose chunks are being computed. */
export interface PrefillState extends PromptProgress {
  readonly row: number
  readonly logits: LogitSelection
}

/** A sequence that is to continue in the row that a killed process left of it. */
export interface ResumedSequence {
  readonly promptTokens: number
  /** Prompt and generated tokens, computed or not. */
  readonly knownTokens: number
  readonly reservedTokens: number
  /** null once it was dropped. */
  readonly orphan: { readonly row: number; readonly computed: number } | null
}

/** Choices of one prompt that wait for rows. */
export interface WaitingGroup {
  readonly choices: readonly unknown[]
  /** Positions that each choice reserves. */
  readonly reservedTokens: number
}

/** The engine between two runs, in numbers: no tensor, no request, no clock. */
export interface SchedulerState {
  readonly limits: SchedulerLimits
  readonly room: CacheRoom
  /** Rows 0..decodingRows-1 take part in a decode step. */
  readonly decodingRows: number
  /** The last run was a prefill chunk, and rows wait to decode since then. */
  readonly isDecodeDue: boolean
  /** At most one prompt at a time is in prefill. */
  readonly prompt: PrefillState | null
  readonly resumed: readonly ResumedSequence[]
  /** In order of arrival. */
  readonly waiting: readonly WaitingGroup[]
}

/** `resumed[index]` decodes from now on, in its orphaned row, of which `positions` positions are used. */
export interface AttachPlan {
  readonly kind: 'attach'
  readonly index: number
  readonly positions: number
}

/** `resumed[index]` cannot use its orphaned row and is to be computed again: it joins the end of the wait queue. */
export interface RequeuePlan {
  readonly kind: 'requeue'
  readonly index: number
}

/** The first `choices` choices of the first waiting group get a prefill together. */
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
  /** Rows behind them whose result is not used. */
  readonly dummyRows: 0 | 1
}

/** Nothing to do until a request is submitted. */
export interface WaitPlan {
  readonly kind: 'wait'
}

/** `attach`, `requeue` and `admit` change the state without a run: apply one, then plan again. */
export type StepPlan = AttachPlan | RequeuePlan | AdmitPlan | PrefillPlan | DecodePlan | WaitPlan

/**
 * The next step. Decode steps and prefill chunks alternate, so that running streams never wait longer than one chunk.
 * Between prompts, resumed sequences come first, since they need no computing; then waiting groups, first come, first
 * served: a group that does not fit yet holds up those behind it, so that a large request is not starved by small ones.
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
  invariant(waiting.length === 0, 'a request waits for a row and none is in use')
  return { kind: 'wait' }
}

/** Whether a sequence decodes on in its orphaned row: the prompt is computed there. */
export function isResumable(sequence: ResumedSequence): boolean {
  return reusablePositions(sequence) >= sequence.promptTokens
}

/** Sequences of so many reserved positions each that fit at the same time. */
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

/** The last known token is computed again in any case: its logits are gone with the process. */
function reusablePositions({ orphan, knownTokens }: ResumedSequence): number {
  return Math.min(orphan?.computed ?? 0, knownTokens - 1)
}

/** Attached in the order of their rows, rows of the same cache need no copy. null if there is none. */
function lowestRow(resumed: readonly ResumedSequence[]): number | null {
  let lowest: number | null = null
  for (const [index, { orphan }] of resumed.entries()) {
    if (lowest === null || (orphan?.row ?? 0) < (resumed[lowest]?.orphan?.row ?? 0)) lowest = index
  }
  return lowest
}
