internal import Synchronization

/// A number that only grows, from the start of the process on. Adding is one atomic operation, from any thread.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    public init() {}

    public func add(_ amount: Int = 1) {
        guard amount > 0 else { return }
        count.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    public var value: UInt64 { count.load(ordering: .relaxed) }
}

/// One counter for each case of a closed set, which is its label.
public final class CounterFamily<Label: CaseIterable & Hashable & Sendable>: Sendable {
    private let counters: [Label: Counter]

    public init() {
        counters = Dictionary(uniqueKeysWithValues: Label.allCases.map { ($0, Counter()) })
    }

    public func add(_ amount: Int = 1, to label: Label) { counters[label]?.add(amount) }

    public subscript(label: Label) -> UInt64 { counters[label]?.value ?? 0 }
}
