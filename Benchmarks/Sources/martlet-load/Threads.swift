import Glibc

/// A box that one thread writes and another reads after joining it.
private final class Job: @unchecked Sendable {
    let body: @Sendable () -> Tally
    var result = Tally()
    init(_ body: @escaping @Sendable () -> Tally) { self.body = body }
}

/// Runs `body` on a thread that nobody waits for.
func startThread(_ body: @escaping @Sendable () -> Void) {
    let job = Job {
        body()
        return Tally()
    }
    var thread = pthread_t()
    let created = pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            _ = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().body()
            return nil
        }, Unmanaged.passRetained(job).toOpaque())
    guard created == 0 else { stop("pthread_create: \(created)") }
    pthread_detach(thread)
}

/// Runs `body` for 0 ..< count, each on a thread of its own, and merges what they measured.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Tally) -> Tally {
    var threads: [(pthread_t, Job)] = []
    for index in 0..<count {
        let job = Job { body(index) }
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let job = Unmanaged<Job>.fromOpaque(argument).takeRetainedValue()
                job.result = job.body()
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        if created == 0 {
            threads.append((thread, job))
        } else {
            job.result.fail("pthread_create: \(created)")
        }
    }
    var whole = Tally()
    for (thread, job) in threads {
        pthread_join(thread, nil)
        whole.merge(job.result)
    }
    if threads.count != count { whole.fail("only \(threads.count) of \(count) threads started") }
    return whole
}
