#if canImport(Glibc)
    internal import Glibc
#endif

/// What waits for a thread: any thread appends, one or several take. Waiting costs no CPU.
final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    // Unchecked: every access to the fields below `lock` is made with it held.
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let arrival: UnsafeMutablePointer<pthread_cond_t>
    private var elements: [Element] = []
    private var isClosed = false
    private var sleepers = 0

    init() {
        lock = .allocate(capacity: 1)
        arrival = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(arrival, nil)
    }

    deinit {
        pthread_cond_destroy(arrival)
        pthread_mutex_destroy(lock)
        arrival.deallocate()
        lock.deallocate()
    }

    /// False when the queue is closed: the element was not taken.
    func append(_ element: Element) -> Bool {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        guard !isClosed else { return false }
        elements.append(element)
        if sleepers > 0 { pthread_cond_signal(arrival) }
        return true
    }

    /// Waits until there is something and takes all of it. Empty when the queue is closed and drained.
    func takeAll() -> [Element] {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        waitForElements()
        var taken: [Element] = []
        swap(&taken, &elements)
        return taken
    }

    /// Waits until there is something and takes the first. Nil when the queue is closed and drained.
    func takeFirst() -> Element? {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        waitForElements()
        return elements.isEmpty ? nil : elements.removeFirst()
    }

    func close() {
        pthread_mutex_lock(lock)
        isClosed = true
        pthread_cond_broadcast(arrival)
        pthread_mutex_unlock(lock)
    }

    private func waitForElements() {
        while elements.isEmpty, !isClosed {
            sleepers += 1
            pthread_cond_wait(arrival, lock)
            sleepers -= 1
        }
    }
}
