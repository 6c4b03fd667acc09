/// A command of a port, said with another tenant's names in every place that one fits.
///
/// Words in braces stand for what the other tenant has (``ForeignNames``), and for what nobody has. Own names are written out:
/// tenant 101 is the account's own.
struct IsolationCase {
    enum Port: String, CaseIterable {
        case config
        case voice
    }

    enum Permission: String, CaseIterable {
        case read
        case write
        case control
    }

    /// A line, and how its two answers are compared.
    struct Line {
        let text: String
        /// Whether numbers in the answer may differ: it says something of the account's own tenant, which changes.
        let hasNumbers: Bool

        /// Whether it names the tenant that is asked.
        var namesTenant: Bool { text.contains("{tenant}") }
    }

    let permission: Permission
    let lines: [Line]

    /// Lines with `~` before them may differ in numbers.
    init(_ permission: Permission, _ lines: String...) {
        self.permission = permission
        self.lines = lines.map { line in
            line.hasPrefix("~")
                ? Line(text: String(line.dropFirst()), hasNumbers: true) : Line(text: line, hasNumbers: false)
        }
    }
}

extension IsolationCase {
    /// By name; every command of a port but those of the connection has one.
    static func all(of port: Port) -> [String: IsolationCase] {
        switch port {
        case .config: provisioningReads.merging(provisioningWrites) { first, _ in first }
        case .voice: streams.merging(groups) { first, _ in first }.merging(calls) { first, _ in first }
        }
    }

    private static let provisioningReads: [String: IsolationCase] = [
        "CFG.GET": IsolationCase(
            .read, "CFG.GET {tenant} person {person}", "CFG.GET {tenant} tenant {dbid}", "CFG.GET 101 person {person}",
            "CFG.GET 101 tenant {dbid}", "CFG.GET 101 person_skill {person},{skill}",
            "CFG.GET {tenant} person {person} AT {token} TIMEOUT 10"),
        "CFG.MGET": IsolationCase(
            .read, "CFG.MGET {tenant} person {person}", "CFG.MGET 101 person {person} {skill}",
            "CFG.MGET 101 tenant {dbid}"),
        "CFG.FIND": IsolationCase(
            .read, "CFG.FIND {tenant} person user_name {user}", "CFG.FIND 101 person user_name {user}",
            "CFG.FIND 101 tenant name {name}"),
        "CFG.LIST": IsolationCase(
            .read, "CFG.LIST {tenant} person", "CFG.LIST {tenant} skill CURSOR {cursor}", "~CFG.LIST 101 person",
            "~CFG.LIST 101 skill CURSOR {cursor}", "~CFG.LIST 101 tenant COUNT 100"),
        "CFG.TYPES": IsolationCase(.read, "CFG.TYPES {tenant}", "CFG.TYPES", "CFG.TYPES 101"),
        "CFG.DESCRIBE": IsolationCase(.read, "CFG.DESCRIBE person"),
        "CFG.STATE": IsolationCase(.read, "CFG.STATE {tenant}", "~CFG.STATE", "~CFG.STATE 101"),
        "CFG.WATCH": IsolationCase(
            .read, "CFG.WATCH {tenant}", "CFG.WATCH {tenant} person", "CFG.WATCH {tenant} FROM 1"),
        "CFG.UNWATCH": IsolationCase(.read, "CFG.UNWATCH {watch}"),
        "CFG.HISTORY": IsolationCase(
            .read, "CFG.HISTORY {tenant} FROM 1 COUNT 100", "CFG.HISTORY {tenant} FROM 1 TYPE person COUNT 100",
            "~CFG.HISTORY 101 FROM 1 COUNT 1000"),
    ]

    private static let provisioningWrites: [String: IsolationCase] = [
        "CFG.PUT": IsolationCase(
            .write, "CFG.PUT {tenant} person {person} first_name x", "CFG.PUT {tenant} skill NEW name x",
            "CFG.PUT {tenant} skill NEW name x ONCE {once}", "CFG.PUT {tenant} tenant {dbid} name x",
            "CFG.PUT 101 person {person} first_name x", "CFG.PUT 101 person {person} first_name x IF {version}",
            "CFG.PUT 101 tenant {dbid} charge_number 1", "CFG.PUT 101 tenant 101 parent_tenant_dbid {dbid}",
            "CFG.PUT 101 skill NEW name x tenant_dbid {dbid}", "CFG.PUT 101 skill {skill} name x",
            "CFG.PUT 101 dn NEW switch_dbid {switch} type 1 number 7001",
            "CFG.PUT 101 agent_login NEW switch_dbid {switch} login_code 7001",
            "CFG.PUT 101 place NEW name x dn_dbids [{dn}]",
            "CFG.PUT 101 person NEW user_name x employee_id x place_dbid {place}",
            "CFG.PUT 101 person_skill NEW person_dbid {person} skill_dbid {skill}",
            "CFG.PUT 101 person_skill {person},{skill} level 2", "CFG.PUT 101 agent_group_member {team},{person}",
            "CFG.PUT 101 campaign_group NEW campaign_dbid {campaign} name spring",
            "~CFG.PUT 101 skill {ownSkill} name own-skill ONCE {once}"),
        "CFG.DEL": IsolationCase(
            .write, "CFG.DEL {tenant} person {person}", "CFG.DEL {tenant} tenant {dbid}",
            "CFG.DEL 101 person {person}", "CFG.DEL 101 person_skill {person},{skill}", "CFG.DEL 101 switch {switch}",
            "CFG.DEL 101 tenant {dbid}", "CFG.DEL 101 dn {dn} IF {version}"),
    ]

    private static let streams: [String: IsolationCase] = [
        "XREAD": IsolationCase(
            .read, "XREAD STREAMS voice:{tenant} 0", "XREAD STREAMS voice:{tenant}@us-east 0",
            "XREAD STREAMS voice:{tenant}@eu-west 0", "XREAD STREAMS voice:{tenant} $",
            "XREAD BLOCK 10 STREAMS voice:{tenant} $", "XREAD BLOCK 10 STREAMS voice:101 voice:{tenant} $ 0",
            "XREAD STREAMS voice:{tenant} voice:101 0 0", "XREAD COUNT 5 STREAMS voice:101 0"),
        "XRANGE": IsolationCase(
            .read, "XRANGE voice:{tenant} - +", "XRANGE voice:{tenant}@eu-west - +", "XRANGE voice:101 {entry} {entry}"),
        "XREVRANGE": IsolationCase(
            .read, "XREVRANGE voice:{tenant} + -", "XREVRANGE voice:101 {entry} {entry}"),
        "XLEN": IsolationCase(.read, "XLEN voice:{tenant}", "XLEN voice:{tenant}@eu-west"),
        "XINFO": IsolationCase(
            .read, "XINFO STREAM voice:{tenant}", "XINFO STREAM voice:{tenant} FULL", "XINFO GROUPS voice:{tenant}",
            "XINFO CONSUMERS voice:{tenant} {group}", "XINFO CONSUMERS voice:101 {group}"),
        "VOICE.WATCH": IsolationCase(
            .read, "VOICE.WATCH {tenant}", "VOICE.WATCH {tenant} us-east", "VOICE.WATCH {tenant} eu-west"),
        "VOICE.UNWATCH": IsolationCase(.read, "VOICE.UNWATCH {watch}"),
        "XADD": IsolationCase(
            .write, "XADD voice:{tenant} * event EventRinging key x data {}",
            "XADD voice:{tenant}@us-east * event EventRinging key x data {}",
            "XADD voice:{tenant}@eu-west * event EventRinging key x data {}"),
        "WAIT": IsolationCase(.write, "~WAIT 0 10"),
    ]

    private static let groups: [String: IsolationCase] = [
        "XREADGROUP": IsolationCase(
            .read, "XREADGROUP GROUP {group} {consumer} STREAMS voice:{tenant} >",
            "XREADGROUP GROUP {group} {consumer} BLOCK 10 STREAMS voice:{tenant} >",
            "XREADGROUP GROUP {group} {consumer} STREAMS voice:{tenant} 0",
            "XREADGROUP GROUP {group} {consumer} STREAMS voice:101 >",
            "XREADGROUP GROUP {group} {consumer} STREAMS voice:101 voice:{tenant} > >"),
        "XGROUP": IsolationCase(
            .read, "XGROUP CREATE voice:{tenant} x $", "XGROUP CREATE voice:{tenant} x $ MKSTREAM",
            "XGROUP SETID voice:{tenant} {group} 0", "XGROUP DESTROY voice:{tenant} {group}",
            "XGROUP CREATECONSUMER voice:{tenant} {group} x", "XGROUP DELCONSUMER voice:{tenant} {group} {consumer}",
            "XGROUP DESTROY voice:101 {group}", "XGROUP DELCONSUMER voice:101 {group} {consumer}"),
        "XACK": IsolationCase(.read, "XACK voice:{tenant} {group} {entry}", "XACK voice:101 own {entry}"),
        "XPENDING": IsolationCase(
            .read, "XPENDING voice:{tenant} {group}", "XPENDING voice:{tenant} {group} - + 10",
            "XPENDING voice:101 {group}", "XPENDING voice:101 own - + 10 {consumer}"),
        "XCLAIM": IsolationCase(
            .read, "XCLAIM voice:{tenant} {group} x 0 {entry}", "XCLAIM voice:101 own x 0 {entry}",
            "XCLAIM voice:101 own x 0 {entry} FORCE"),
        "XAUTOCLAIM": IsolationCase(
            .read, "XAUTOCLAIM voice:{tenant} {group} x 0 0", "XAUTOCLAIM voice:101 {group} x 0 0"),
    ]

    private static let calls: [String: IsolationCase] = [
        "CALL.GET": IsolationCase(.read, "CALL.GET {tenant} {call}", "CALL.GET 101 {call}"),
        "CALL.LIST": IsolationCase(
            .read, "CALL.LIST {tenant}", "CALL.LIST {tenant} DN 7001", "CALL.LIST 101", "CALL.LIST 101 DN 7001"),
        "AGENT.GET": IsolationCase(.read, "AGENT.GET {tenant} {agent}", "AGENT.GET 101 {agent}"),
        "CALL.MAKE": IsolationCase(
            .control, "CALL.MAKE {tenant} 7001 7002", "CALL.MAKE {tenant} 7001 7002 ONCE {once}",
            "~CALL.MAKE 101 7001 7002 ONCE {once}"),
        "CALL.ANSWER": IsolationCase(.control, "CALL.ANSWER {tenant} 7001 {call}", "~CALL.ANSWER 101 7001 {call}"),
        "CALL.HOLD": IsolationCase(.control, "CALL.HOLD {tenant} 7001 {call}", "~CALL.HOLD 101 7001 {call}"),
        "CALL.RETRIEVE": IsolationCase(
            .control, "CALL.RETRIEVE {tenant} 7001 {call}", "~CALL.RETRIEVE 101 7001 {call}"),
        "CALL.RELEASE": IsolationCase(.control, "CALL.RELEASE {tenant} 7001 {call}", "~CALL.RELEASE 101 7001 {call}"),
        "CALL.TRANSFER": IsolationCase(
            .control, "CALL.TRANSFER {tenant} 7001 {call} 7002", "~CALL.TRANSFER 101 7001 {call} 7002"),
        "CALL.CONFERENCE": IsolationCase(
            .control, "CALL.CONFERENCE {tenant} 7001 {call} 7002", "~CALL.CONFERENCE 101 7001 {call} 7002"),
        "CALL.COMPLETE": IsolationCase(
            .control, "CALL.COMPLETE {tenant} 7001 {call} c2", "~CALL.COMPLETE 101 7001 c1 {call}"),
        "CALL.DTMF": IsolationCase(.control, "CALL.DTMF {tenant} 7001 {call} 1", "~CALL.DTMF 101 7001 {call} 1"),
        "CALL.DATA": IsolationCase(.control, "CALL.DATA {tenant} 7001 {call} {}", "~CALL.DATA 101 7001 {call} {}"),
        "AGENT.LOGIN": IsolationCase(
            .control, "AGENT.LOGIN {tenant} 7001 {agent}", "~AGENT.LOGIN 101 7001 {agent} QUEUE 7001"),
        "AGENT.LOGOUT": IsolationCase(
            .control, "AGENT.LOGOUT {tenant} 7001 {agent}", "AGENT.LOGOUT {tenant} 7001",
            "~AGENT.LOGOUT 101 7001 {agent}"),
        "AGENT.READY": IsolationCase(
            .control, "AGENT.READY {tenant} 7001 {agent}", "~AGENT.READY 101 7001 {agent}"),
        "AGENT.NOTREADY": IsolationCase(
            .control, "AGENT.NOTREADY {tenant} 7001 {agent}", "~AGENT.NOTREADY 101 7001 {agent} REASON x"),
    ]
}
