#include "apiserver/openapi_meta.hpp"

#include <boost/json/parse.hpp>
#include <string_view>

namespace ocim::apiserver {

namespace {

// clang-format off
constexpr std::string_view text = R"json({
"io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions": {"description": "How an object is to be deleted.", "type": "object",
 "properties": {
  "apiVersion": {"type": "string", "description": "The group and version of this representation."},
  "dryRun": {"type": "array", "description": "All: answer as if it were done, and change nothing.", "items": {"type": "string", "default": ""}, "x-kubernetes-list-type": "atomic"},
  "gracePeriodSeconds": {"type": "integer", "format": "int64", "description": "How long the object may take to end."},
  "kind": {"type": "string", "description": "DeleteOptions."},
  "orphanDependents": {"type": "boolean", "description": "Use propagationPolicy instead."},
  "preconditions": {"description": "What must be true for it to be done.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions"}]},
  "propagationPolicy": {"type": "string", "description": "What becomes of what the object owns: Background (deleted after it), Foreground (deleted before it) or Orphan (left)."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": {"description": "A set of fields, as a tree: f:NAME is a field, k:KEYS an item of a list, . the thing itself.", "type": "object"},
"io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta": {"description": "What every list has besides its items.", "type": "object",
 "properties": {
  "continue": {"type": "string", "description": "Given back as a parameter, it asks for the next page."},
  "remainingItemCount": {"type": "integer", "format": "int64", "description": "How many objects come after this page, where that is known."},
  "resourceVersion": {"type": "string", "description": "The state that the list shows; a watch can go on from it."},
  "selfLink": {"type": "string", "description": "Not used any more."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry": {"description": "Which fields of the object one manager owns.", "type": "object",
 "properties": {
  "apiVersion": {"type": "string", "description": "The version of the object that the fields are those of."},
  "fieldsType": {"type": "string", "description": "The form of fieldsV1: there is only FieldsV1."},
  "fieldsV1": {"description": "The fields.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"}]},
  "manager": {"type": "string", "description": "The name of the manager."},
  "operation": {"type": "string", "description": "How the manager writes: Apply or Update."},
  "subresource": {"type": "string", "description": "The sub-resource through which the manager writes."},
  "time": {"description": "When the entry last changed.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}]}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta": {"description": "What every stored object has besides what it is about.", "type": "object",
 "properties": {
  "annotations": {"type": "object", "description": "Texts of any kind that tools keep with the object. They cannot be selected by.", "additionalProperties": {"type": "string", "default": ""}},
  "creationTimestamp": {"description": "When the object was created. Set by the server.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}]},
  "deletionGracePeriodSeconds": {"type": "integer", "format": "int64", "description": "How long the object may take to end. Set by the server with deletionTimestamp."},
  "deletionTimestamp": {"description": "When deletion was asked for. The object goes when its finalizers are gone. Set by the server.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.Time"}]},
  "finalizers": {"type": "array", "description": "Who must do something before the object may go. An entry is removed by whom it names.", "items": {"type": "string", "default": ""}, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"},
  "generateName": {"type": "string", "description": "The beginning of a name that the server completes, when name is not given."},
  "generation": {"type": "integer", "format": "int64", "description": "Grows by one with every change of what is wanted. Set by the server."},
  "labels": {"type": "object", "description": "Short texts by which objects are selected and grouped.", "additionalProperties": {"type": "string", "default": ""}},
  "managedFields": {"type": "array", "description": "Which manager owns which fields. Kept by the server.", "items": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry"}, "x-kubernetes-list-type": "atomic"},
  "name": {"type": "string", "description": "The name of the object: unique among those of its kind in its namespace, and never changed."},
  "namespace": {"type": "string", "description": "The namespace of the object; empty in cluster scope. It cannot be changed."},
  "ownerReferences": {"type": "array", "description": "The objects that this one belongs to: when all of them are gone it is deleted.", "items": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference"}, "x-kubernetes-list-map-keys": ["uid"], "x-kubernetes-list-type": "map", "x-kubernetes-patch-merge-key": "uid", "x-kubernetes-patch-strategy": "merge"},
  "resourceVersion": {"type": "string", "description": "Changes with every write. Sent back in an update it guards against overwriting what somebody else wrote. Set by the server."},
  "selfLink": {"type": "string", "description": "Not used any more."},
  "uid": {"type": "string", "description": "Tells this object from any other, also from a later one of the same name. Set by the server."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference": {"description": "An object that owns this one: in the same namespace, or in cluster scope.", "type": "object", "required": ["apiVersion", "kind", "name", "uid"], "x-kubernetes-map-type": "atomic",
 "properties": {
  "apiVersion": {"type": "string", "description": "The group and version of the owner."},
  "blockOwnerDeletion": {"type": "boolean", "description": "While this object stands, an owner that is deleted in the foreground stays."},
  "controller": {"type": "boolean", "description": "This owner manages the object. Only one can."},
  "kind": {"type": "string", "description": "The kind of the owner."},
  "name": {"type": "string", "description": "The name of the owner."},
  "uid": {"type": "string", "description": "The uid of the owner: another object of the same name is not the owner."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.Patch": {"description": "A change to an object; the content type says which kind of patch it is.", "type": "object"},
"io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions": {"description": "What must be true for a deletion to be done.", "type": "object",
 "properties": {
  "resourceVersion": {"type": "string", "description": "The object has this resourceVersion."},
  "uid": {"type": "string", "description": "The object has this uid."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.Status": {"description": "The answer to a request that has no object to answer with.", "type": "object", "x-kubernetes-group-version-kind": [{"group": "", "kind": "Status", "version": "v1"}],
 "properties": {
  "apiVersion": {"type": "string", "description": "The group and version of this representation."},
  "code": {"type": "integer", "format": "int32", "description": "The HTTP status."},
  "details": {"description": "More about it.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails"}]},
  "kind": {"type": "string", "description": "Status."},
  "message": {"type": "string", "description": "What happened, for people."},
  "metadata": {"description": "Empty.", "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"}]},
  "reason": {"type": "string", "description": "What happened, for programs."},
  "status": {"type": "string", "description": "Success or Failure."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause": {"description": "One reason among several for a refusal.", "type": "object",
 "properties": {
  "field": {"type": "string", "description": "The field that the reason is about, as a path."},
  "message": {"type": "string", "description": "The reason for people."},
  "reason": {"type": "string", "description": "The reason for programs."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails": {"description": "More about a refusal.", "type": "object",
 "properties": {
  "causes": {"type": "array", "description": "Each thing that is wrong.", "items": {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause"}, "x-kubernetes-list-type": "atomic"},
  "group": {"type": "string", "description": "The group of what the request was about."},
  "kind": {"type": "string", "description": "The kind or resource that the request was about."},
  "name": {"type": "string", "description": "The name of what the request was about."},
  "retryAfterSeconds": {"type": "integer", "format": "int32", "description": "After how many seconds to try again."},
  "uid": {"type": "string", "description": "The uid of what the request was about."}}},
"io.k8s.apimachinery.pkg.apis.meta.v1.Time": {"description": "A point in time: RFC 3339, in whole seconds.", "type": "string", "format": "date-time"}})json";
// clang-format on

}  // namespace

const api::json::object& meta_schemas() {
    static const api::json::object all = boost::json::parse(text).as_object();
    return all;
}

}  // namespace ocim::apiserver
