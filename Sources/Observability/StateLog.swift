package import Logging

extension ComponentStates {
    /// Sets the state of a component, and logs it where it is another one: a fault as a warning, one that needs an operator
    /// as an error. Waiting for no reason is how components begin.
    package func set(_ component: String, _ state: ComponentState, logging message: StaticString, to logger: Logger) {
        guard set(component, state) else { return }
        var fields: LogFields = [.component: "\(component)", .state: "\(state.name)"]
        if let reason = state.reason { fields[.reason] = "\(reason)" }
        if let advice = state.advice { fields[.advice] = "\(advice)" }
        logger.log(state.logLevel, message, fields)
    }
}

extension ComponentState {
    /// How loud it is said that a component is in this state now.
    package var logLevel: Logger.Level {
        switch health {
        case .working: .info
        case .waiting: reason == nil ? .info : .warning
        case .degraded: .warning
        case .stopped: .error
        }
    }
}
