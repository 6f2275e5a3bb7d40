with

balance as (
    select * from {{ ref('int_programme_balance_measured') }}
),

traits as (
    select trait, is_matched_on from {{ ref('programme_traits') }}
),

final as (
    select
        balance.horizon_days,
        balance.trait,
        traits.is_matched_on,
        balance.members,
        balance.matched_members,
        balance.member_mean,
        balance.candidate_mean,
        balance.matched_member_mean,
        balance.matched_control_mean,
        balance.unmatched_member_mean,
        balance.standardised_difference_unmatched,
        balance.standardised_difference_matched
    from balance
    inner join traits on balance.trait = traits.trait
    -- without a member there is nothing to balance
    where balance.members > 0
)

{{ select_with_labels('final') }}
