/// The tables of schema `provisioning` (domain.md, "Provisioning objects"), in the order in which rows can be inserted:
/// a table stands behind those it refers to.
package enum ProvisioningTable: String, CaseIterable, Hashable, Sendable {
    case tenant
    case timeZone = "time_zone"
    case `switch`
    case dn
    case place
    case skill
    case person
    case personSkill = "person_skill"
    case agentLogin = "agent_login"
    case agentGroup = "agent_group"
    case agentGroupMember = "agent_group_member"
    case placeGroup = "place_group"
    case placeGroupMember = "place_group_member"
    case dnGroup = "dn_group"
    case dnGroupMember = "dn_group_member"
    case campaign
    case campaignGroup = "campaign_group"
    case callingList = "calling_list"
    case treatment
    case role
    case folder
    case transaction

    /// `provisioning.person`
    package var sqlName: String { "provisioning.\(rawValue)" }

    /// The object type in journals and caches.
    package var type: String { rawValue }

    /// Columns that name a row.
    package var keyColumns: [String] {
        switch self {
        case .personSkill: ["person_dbid", "skill_dbid"]
        case .agentGroupMember: ["agent_group_dbid", "person_dbid"]
        case .placeGroupMember: ["place_group_dbid", "place_dbid"]
        case .dnGroupMember: ["dn_group_dbid", "dn_dbid"]
        default: ["dbid"]
        }
    }

    /// The column that names the tenant.
    package var tenantColumn: String { self == .tenant ? "dbid" : "tenant_dbid" }

    /// Whether rows have a `dbid` of their own.
    package var hasDBID: Bool { keyColumns == ["dbid"] }

    /// The columns that the generator writes, in this order; the schema may have more, with defaults.
    package var columns: [String] {
        switch self {
        case .tenant: ["dbid", "name", "is_service_provider", "charge_number", "state", "user_properties"]
        case .timeZone, .role, .folder, .transaction, .skill, .placeGroup, .dnGroup: named
        case .switch: named + ["type", "link_type"]
        case .dn:
            ["dbid", "tenant_dbid", "switch_dbid", "type", "number", "name"] + ["register_all", "login_flag", "state"]
        case .place: named + ["dn_dbids"]
        case .person:
            ["dbid", "tenant_dbid", "user_name", "employee_id", "first_name", "last_name", "email", "is_agent"]
                + ["place_dbid", "state", "user_properties"]
        case .personSkill: ["tenant_dbid", "person_dbid", "skill_dbid", "level"]
        case .agentLogin: ["dbid", "tenant_dbid", "switch_dbid", "login_code", "wrapup_time", "state"]
        case .agentGroup: named + ["manager_dbids", "route_dn_dbids"]
        case .agentGroupMember: ["tenant_dbid", "agent_group_dbid", "person_dbid"]
        case .placeGroupMember: ["tenant_dbid", "place_group_dbid", "place_dbid"]
        case .dnGroupMember: ["tenant_dbid", "dn_group_dbid", "dn_dbid"]
        case .campaign: named + ["description"]
        case .campaignGroup:
            named + ["campaign_dbid", "group_dbid", "dial_mode", "operation_mode"]
                + ["number_of_channels", "orig_dn_dbid"]
        case .callingList: named + ["time_from", "time_until", "max_attempts", "table_name"]
        case .treatment: named + ["call_result", "action_code", "attempts", "interval_s"]
        }
    }

    private var named: [String] { ["dbid", "tenant_dbid", "name", "state", "user_properties"] }
}
