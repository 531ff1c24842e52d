/// Work was not done in its time.
package struct TimeLimitPassed: Error {}

/// Does something that may take so long and no longer: then, or when the caller is cancelled, it is cancelled and waited for.
/// - Throws: what `work` throws; `TimeLimitPassed`; `CancellationError` when the caller is cancelled.
package func within<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await work() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimeLimitPassed()
        }
        defer { group.cancelAll() }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}
