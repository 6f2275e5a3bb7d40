select
    pairs.horizon_days,
    pairs.member_customer_id,
    pairs.control_customer_id
from {{ ref('int_programme_pair_outcomes') }} as pairs
left join {{ ref('int_programme_enrolments_listed') }} as members on pairs.member_customer_id = members.customer_id
left join {{ ref('int_programme_enrolments_listed') }} as controls on pairs.control_customer_id = controls.customer_id
where
    (not pairs.is_placebo and pairs.member_index_on is distinct from members.enrolled_on)
    or (pairs.is_placebo and members.enrolled_on <= pairs.member_index_on)
    or controls.enrolled_on <= pairs.control_index_on
    or pairs.member_customer_id = pairs.control_customer_id
