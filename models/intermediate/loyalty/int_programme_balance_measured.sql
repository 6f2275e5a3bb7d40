with

occasions as (
    select * from {{ ref('int_programme_traits_listed') }}
),

traits as (
    select trait from {{ ref('programme_traits') }}
),

trait_values as (
    select
        occasions.horizon_days,
        traits.trait,
        occasions.side,
        cast(case traits.trait
            when 'purchase_number' then occasions.purchase_number
            when 'tenure_days' then occasions.tenure_days
            when 'gap_days' then occasions.gap_days
            when 'mean_net_revenue' then occasions.mean_net_revenue
            when 'purchase_days_before' then occasions.purchase_days_before
            when 'discount_before' then occasions.discount_before
        end as double) as trait_value
    from occasions
    cross join traits
),

measured as (
    select
        horizon_days,
        trait,
        count(*) filter (where side in ('matched_member', 'unmatched_member')) as members,
        count(*) filter (where side = 'matched_member') as matched_members,
        {{ mean_in_order("case when side in ('matched_member', 'unmatched_member') then trait_value end") }} as member_mean,
        {{ variance_in_order("case when side in ('matched_member', 'unmatched_member') then trait_value end") }} as member_variance,
        {{ mean_in_order("case when side = 'matched_member' then trait_value end") }} as matched_member_mean,
        {{ variance_in_order("case when side = 'matched_member' then trait_value end") }} as matched_member_variance,
        {{ mean_in_order("case when side = 'unmatched_member' then trait_value end") }} as unmatched_member_mean,
        {{ variance_in_order("case when side = 'unmatched_member' then trait_value end") }} as unmatched_member_variance,
        {{ mean_in_order("case when side = 'matched_control' then trait_value end") }} as matched_control_mean,
        {{ variance_in_order("case when side = 'matched_control' then trait_value end") }} as matched_control_variance,
        {{ mean_in_order("case when side = 'candidate' then trait_value end") }} as candidate_mean,
        {{ variance_in_order("case when side = 'candidate' then trait_value end") }} as candidate_variance
    from trait_values
    group by horizon_days, trait
),

final as (
    select
        horizon_days,
        trait,
        members,
        matched_members,
        member_mean,
        candidate_mean,
        matched_member_mean,
        matched_control_mean,
        unmatched_member_mean,
        {{ ratio('member_mean - candidate_mean', 'sqrt((member_variance + candidate_variance) / 2e0)') }}
            as standardised_difference_unmatched,
        {{ ratio('matched_member_mean - matched_control_mean', 'sqrt((matched_member_variance + matched_control_variance) / 2e0)') }}
            as standardised_difference_matched
    from measured
)

select * from final
