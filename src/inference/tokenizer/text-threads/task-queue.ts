import { ServiceError } from '../../contract/errors.ts'

/** Something that waits. Sizes are in UTF-16 units. */
export interface Sized {
  /** How much text it is. */
  readonly units: number
  /** How much text its request has brought up to here: of one that brings much, little has the precedence. */
  readonly requestUnits: number
}

export interface QueueBounds {
  readonly tasks: number
  /** A single task may be larger: it is taken when nothing else waits. */
  readonly units: number
}

/** Each size class has four times the units of the one below: 256 and less, 1,024 and less, and so on. */
const SMALLEST_CLASS_UNITS = 256
/** One turn in so many goes to the task that has waited longest, so that a flood of small ones starves nothing. */
const FAIR_TURN = 4

interface Entry<Task> {
  readonly task: Task
  readonly arrival: number
}

/**
 * A bounded queue that gives tasks of small requests the precedence over those of large ones; those of one size class
 * come in their order.
 */
export class TaskQueue<Task extends Sized> {
  readonly #bounds: QueueBounds
  /** By size class, the smallest first; sets keep the order of arrival and lose a member in constant time. */
  readonly #classes: Set<Entry<Task>>[] = []
  readonly #entries = new Map<Task, Entry<Task>>()
  #units = 0
  #arrivals = 0
  #turns = 0

  constructor(bounds: QueueBounds) {
    this.#bounds = bounds
  }

  /** @throws {ServiceError} `queue_full` */
  add(task: Task): void {
    const isFull = this.#entries.size >= this.#bounds.tasks || this.#units + task.units > this.#bounds.units
    if (isFull && this.#entries.size > 0)
      throw new ServiceError('queue_full', 'Too many texts wait to be tokenized. Please try again later.')
    const entry = { task, arrival: this.#arrivals++ }
    this.#entries.set(task, entry)
    this.#units += task.units
    const index = classOf(task)
    while (this.#classes.length <= index) this.#classes.push(new Set())
    this.#classes[index]?.add(entry)
  }

  /** @returns whether it was waiting */
  remove(task: Task): boolean {
    const entry = this.#entries.get(task)
    if (entry === undefined) return false
    this.#entries.delete(task)
    this.#units -= task.units
    this.#classes[classOf(task)]?.delete(entry)
    return true
  }

  take(): Task | null {
    const first = this.#classes.flatMap(members => members.values().take(1).toArray())
    const isFairTurn = ++this.#turns % FAIR_TURN === 0
    const next = isFairTurn ? first.toSorted((a, b) => a.arrival - b.arrival)[0] : first[0]
    if (next === undefined) return null
    this.remove(next.task)
    return next.task
  }
}

function classOf({ requestUnits }: Sized): number {
  return Math.max(0, Math.ceil(Math.log2(requestUnits / SMALLEST_CLASS_UNITS) / 2))
}
