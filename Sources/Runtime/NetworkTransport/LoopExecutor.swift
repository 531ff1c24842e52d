package import NIOCore

/// An event loop as the executor of one session.
///
/// NIO's own executors compare by `isSameExclusiveExecutionContext` ("complex equality"). Swift 6.3's runtime loses such an
/// executor when a continuation is resumed in a `nonisolated(nonsending)` function: the rest of that function runs on the
/// global pool, and the session gets back to its loop by a second hop. Each wait for the store would cost two thread
/// changes, and would starve when the pool is busy. An executor with ordinary equality is kept.
package final class LoopExecutor: SerialExecutor {
    private let loop: any EventLoop

    package init(_ loop: any EventLoop) { self.loop = loop }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// What `assumeIsolated` asks when the transport calls the session straight from the loop.
    package func checkIsolated() { loop.preconditionInEventLoop() }
}
