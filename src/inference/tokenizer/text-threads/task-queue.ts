import { ServiceError } from '../../contract/errors.ts'

/** The size of a queued task, in UTF-16 units. */
export interface Sized {
  /** Text of the task. */
  readonly units: number
  /** Text of its request so far, this task included. Tasks of small requests have precedence. */
  readonly requestUnits: number
}

export interface QueueBounds {
  readonly tasks: number
  /** A single larger task is accepted when the queue is empty. */
  readonly units: number
}

/** Each size class has four times the units of the one below: 256 and less, 1,024 and less, and so on. */
const SMALLEST_CLASS_UNITS = 256
/** Every fourth turn takes the oldest task, so that small tasks cannot starve large ones. */
const FAIR_TURN = 4

interface Entry<Task> {
  readonly task: Task
  readonly arrival: number
}

/**
 * A bounded priority queue: tasks of small requests come before those of large ones, and within a size class in order
 * of arrival.
 */
export class TaskQueue<Task extends Sized> {
  readonly #bounds: QueueBounds
  /** By size class, ascending. Sets keep the order of arrival and delete in constant time. */
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
    if (isFull && this.#entries.size > 0) throw new ServiceError('queue_full', 'The tokenizer queue is full. Please try again later.')
    const entry = { task, arrival: this.#arrivals++ }
    this.#entries.set(task, entry)
    this.#units += task.units
    const index = classOf(task)
    while (this.#classes.length <= index) this.#classes.push(new Set())
    this.#classes[index]?.add(entry)
  }

  /** @returns whether it was queued */
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
