#pragma once

#include "monitoring/newrelic_client.hpp"

#include <array>

/// All that NerdGraph is asked. Documents, whole and constant: what differs between calls goes in as variables.
namespace ocim::monitoring::newrelic {

inline constexpr Query probe_query{"probe", "query($account:Int!){actor{account(id:$account){id}}}"};

inline constexpr Query list_monitors{"list_monitors", R"(query($account:Int!,$query:String!,$cursor:String){actor{
account(id:$account){id} entitySearch(query:$query){results(cursor:$cursor){nextCursor entities{guid name tags{key values}
...on SyntheticMonitorEntityOutline{monitorType monitoredUrl period
monitorSummary{status locationsFailing locationsRunning}}}}}}})"};

inline constexpr Query look_up{"look_up", R"(query($guids:[EntityGuid]!){actor{entities(guids:$guids){guid name
tags{key values} ...on SyntheticMonitorEntity{monitorType monitoredUrl period
monitorSummary{status locationsFailing locationsRunning}}}}})"};

inline constexpr Query create_monitor{"create_monitor", R"(mutation($account:Int!,
$monitor:SyntheticsCreateSimpleMonitorInput!){answer:syntheticsCreateSimpleMonitor(accountId:$account,monitor:$monitor){
errors{type description} monitor{guid}}})",
                                      true};

inline constexpr Query update_monitor{"update_monitor", R"(mutation($guid:EntityGuid!,
$monitor:SyntheticsUpdateSimpleMonitorInput!){answer:syntheticsUpdateSimpleMonitor(guid:$guid,monitor:$monitor){
errors{type description} monitor{guid}}})",
                                      true};

inline constexpr Query delete_monitor{
    "delete_monitor", "mutation($guid:EntityGuid!){answer:syntheticsDeleteMonitor(guid:$guid){deletedGuid}}", true};

/// Which tags are not New Relic's own only this says, and not the list.
inline constexpr Query list_tags{"list_tags", R"(query($guid:EntityGuid!){actor{entity(guid:$guid){
tagsWithMetadata{key values{mutable value}}}}})"};

inline constexpr Query replace_tags{"replace_tags", R"(mutation($guid:EntityGuid!,$tags:[TaggingTagInput!]!){
answer:taggingReplaceTagsOnEntity(guid:$guid,tags:$tags){errors{type message}}})",
                                    true};

// --- alerts

/// All lists at once; of each only those pages that are still to come.
inline constexpr Query list_alerts{"list_alerts", R"(query($account:Int!,
$policies:String,$conditions:String,$destinations:String,$channels:String,$workflows:String,
$morePolicies:Boolean!,$moreConditions:Boolean!,$moreDestinations:Boolean!,$moreChannels:Boolean!,$moreWorkflows:Boolean!,
$conditionsNamed:AlertsNrqlConditionsSearchCriteriaInput!){actor{account(id:$account){id
alerts{policiesSearch(cursor:$policies)@include(if:$morePolicies){nextCursor policies{id name incidentPreference}}
nrqlConditionsSearch(cursor:$conditions,searchCriteria:$conditionsNamed)@include(if:$moreConditions){nextCursor
nrqlConditions{id name policyId enabled nrql{query} signal{aggregationWindow} 
terms{operator priority threshold thresholdDuration thresholdOccurrences}}}}
aiNotifications{destinations(cursor:$destinations)@include(if:$moreDestinations){nextCursor
entities{id name type active properties{key value}}}
channels(cursor:$channels)@include(if:$moreChannels){nextCursor entities{id name type active destinationId}}}
aiWorkflows{workflows(cursor:$workflows)@include(if:$moreWorkflows){nextCursor entities{id name workflowEnabled
destinationsEnabled mutingRulesHandling issuesFilter{predicates{attribute operator values}}
destinationConfigurations{channelId notificationTriggers}}}}}}})"};

inline constexpr Query create_destination{"create_destination", R"(mutation($account:Int!,
$destination:AiNotificationsDestinationInput!){answer:aiNotificationsCreateDestination(accountId:$account,
destination:$destination){destination{id} error{__typename ...on AiNotificationsResponseError{type description details}
...on AiNotificationsDataValidationError{details fields{field message}}}}})",
                                          true};

inline constexpr Query create_channel{"create_channel", R"(mutation($account:Int!,
$channel:AiNotificationsChannelInput!){answer:aiNotificationsCreateChannel(accountId:$account,channel:$channel){
channel{id} error{__typename ...on AiNotificationsResponseError{type description details}
...on AiNotificationsDataValidationError{details fields{field message}}}}})",
                                      true};

inline constexpr Query create_policy{"create_policy", R"(mutation($account:Int!,$policy:AlertsPolicyInput!){
answer:alertsPolicyCreate(accountId:$account,policy:$policy){id}})",
                                     true};

inline constexpr Query create_condition{"create_condition", R"(mutation($account:Int!,$policy:ID!,
$condition:AlertsNrqlConditionStaticInput!){answer:alertsNrqlConditionStaticCreate(accountId:$account,policyId:$policy,
condition:$condition){id}})",
                                        true};

inline constexpr Query create_workflow{"create_workflow", R"(mutation($account:Int!,
$workflow:AiWorkflowsCreateWorkflowInput!){answer:aiWorkflowsCreateWorkflow(accountId:$account,
createWorkflowData:$workflow){workflow{id} errors{type description}}})",
                                       true};

inline constexpr Query delete_workflow{"delete_workflow", R"(mutation($account:Int!,$id:ID!){
answer:aiWorkflowsDeleteWorkflow(accountId:$account,id:$id,deleteChannels:false){id errors{type description}}})",
                                       true};

inline constexpr Query delete_channel{"delete_channel", R"(mutation($account:Int!,$id:ID!){
answer:aiNotificationsDeleteChannel(accountId:$account,channelId:$id){ids error{type description details}}})",
                                      true};

inline constexpr Query delete_destination{"delete_destination", R"(mutation($account:Int!,$id:ID!){
answer:aiNotificationsDeleteDestination(accountId:$account,destinationId:$id){ids error{type description details}}})",
                                          true};

inline constexpr Query delete_condition{"delete_condition", R"(mutation($account:Int!,$id:ID!){
answer:alertsConditionDelete(accountId:$account,id:$id){id}})",
                                        true};

inline constexpr Query delete_policy{"delete_policy", R"(mutation($account:Int!,$id:ID!){
answer:alertsPolicyDelete(accountId:$account,id:$id){id}})",
                                     true};

inline constexpr std::array all_queries{
    &probe_query,        &list_monitors,      &look_up,          &create_monitor,  &update_monitor,
    &delete_monitor,     &list_tags,          &replace_tags,     &list_alerts,     &create_policy,
    &create_destination, &create_channel,     &create_condition, &create_workflow, &delete_workflow,
    &delete_channel,     &delete_destination, &delete_condition, &delete_policy};

}  // namespace ocim::monitoring::newrelic
