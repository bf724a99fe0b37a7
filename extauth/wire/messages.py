"""Generated from proto/ by `python -m extauth.wire.generate`. Do not edit."""

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_SCHEMA = (
    b'\n\xb9\x02\n"envoy/config/core/v3/address.proto\x12\x14envoy.config.core.v3"\x14\n\x04Pipe\x12\x0c\n\x04path\x18\x01 '
    b'\x01(\t"^\n\rSocketAddress\x12\x0f\n\x07address\x18\x02 \x01(\t\x12\x14\n\nport_value\x18\x03 \x01(\rH\x00\x12\x14\n\nnamed_port\x18\x04 \x01(\tH'
    b'\x00B\x10\n\x0eport_specifier"\x7f\n\x07Address\x12=\n\x0esocket_address\x18\x01 \x01(\x0b2#.envoy.config.core.v3.So'
    b'cketAddressH\x00\x12*\n\x04pipe\x18\x02 \x01(\x0b2\x1a.envoy.config.core.v3.PipeH\x00B\t\n\x07addressb\x06proto3\n\xf3\x03\n'
    b'\x1fenvoy/config/core/v3/base.proto\x12\x14envoy.config.core.v3"<\n\x0bHeaderValue\x12\x0b\n\x03key\x18\x01 \x01'
    b'(\t\x12\r\n\x05value\x18\x02 \x01(\t\x12\x11\n\traw_value\x18\x03 \x01(\x0c"\xb2\x02\n\x11HeaderValueOption\x121\n\x06header\x18\x01 \x01(\x0b2!.env'
    b'oy.config.core.v3.HeaderValue\x12Q\n\rappend_action\x18\x03 \x01(\x0e2:.envoy.config.core.v3.Head'
    b'erValueOption.HeaderAppendAction\x12\x18\n\x10keep_empty_value\x18\x04 \x01(\x08"}\n\x12HeaderAppendAction'
    b'\x12\x1b\n\x17APPEND_IF_EXISTS_OR_ADD\x10\x00\x12\x11\n\rADD_IF_ABSENT\x10\x01\x12\x1e\n\x1aOVERWRITE_IF_EXISTS_OR_ADD\x10\x02'
    b'\x12\x17\n\x13OVERWRITE_IF_EXISTS\x10\x03"?\n\tHeaderMap\x122\n\x07headers\x18\x01 \x03(\x0b2!.envoy.config.core.v3.H'
    b'eaderValueb\x06proto3\ng\n\x1fgoogle/protobuf/timestamp.proto\x12\x0fgoogle.protobuf"+\n\tTimest'
    b'amp\x12\x0f\n\x07seconds\x18\x01 \x01(\x03\x12\r\n\x05nanos\x18\x02 \x01(\x05b\x06proto3\n\x89\x08\n-envoy/service/auth/v3/attribute_'
    b'context.proto\x12\x15envoy.service.auth.v3\x1a"envoy/config/core/v3/address.proto\x1a\x1fenvoy/'
    b'config/core/v3/base.proto\x1a\x1fgoogle/protobuf/timestamp.proto"\xd2\x06\n\x10AttributeContext\x12'
    b'<\n\x06source\x18\x01 \x01(\x0b2,.envoy.service.auth.v3.AttributeContext.Peer\x12A\n\x0bdestination\x18\x02 \x01'
    b'(\x0b2,.envoy.service.auth.v3.AttributeContext.Peer\x12@\n\x07request\x18\x04 \x01(\x0b2/.envoy.servic'
    b'e.auth.v3.AttributeContext.Request\x12G\n\x0btls_session\x18\x0c \x01(\x0b22.envoy.service.auth.v3.'
    b'AttributeContext.TLSSession\x1ao\n\x04Peer\x12.\n\x07address\x18\x01 \x01(\x0b2\x1d.envoy.config.core.v3.Addr'
    b'ess\x12\x0f\n\x07service\x18\x02 \x01(\t\x12\x11\n\tprincipal\x18\x04 \x01(\t\x12\x13\n\x0bcertificate\x18\x05 \x01(\t\x1av\n\x07Request\x12(\n\x04time\x18'
    b'\x01 \x01(\x0b2\x1a.google.protobuf.Timestamp\x12A\n\x04http\x18\x02 \x01(\x0b23.envoy.service.auth.v3.Attribut'
    b'eContext.HttpRequest\x1a\xad\x02\n\x0bHttpRequest\x12\n\n\x02id\x18\x01 \x01(\t\x12\x0e\n\x06method\x18\x02 \x01(\t\x12Q\n\x07headers\x18\x03 \x03('
    b'\x0b2@.envoy.service.auth.v3.AttributeContext.HttpRequest.HeadersEntry\x12\x0c\n\x04path\x18\x04 \x01('
    b'\t\x12\x0c\n\x04host\x18\x05 \x01(\t\x12\x0e\n\x06scheme\x18\x06 \x01(\t\x12\x0c\n\x04size\x18\t \x01(\x03\x12\x10\n\x08protocol\x18\n \x01(\t\x123\n\nheader_map\x18\r '
    b'\x01(\x0b2\x1f.envoy.config.core.v3.HeaderMap\x1a.\n\x0cHeadersEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\t'
    b':\x028\x01\x1a\x19\n\nTLSSession\x12\x0b\n\x03sni\x18\x01 \x01(\tb\x06proto3\n\xba\x01\n\x1fenvoy/type/v3/http_status.proto\x12\renv'
    b'oy.type.v3"5\n\nHttpStatus\x12\'\n\x04code\x18\x01 \x01(\x0e2\x19.envoy.type.v3.StatusCode*I\n\nStatusCode\x12'
    b'\t\n\x05Empty\x10\x00\x12\x07\n\x02OK\x10\xc8\x01\x12\x0e\n\tForbidden\x10\x93\x03\x12\x17\n\x12MisdirectedRequest\x10\xa5\x03b\x06proto3\n\xfd\x03\n\x1cgoogle/'
    b'protobuf/struct.proto\x12\x0fgoogle.protobuf"\x84\x01\n\x06Struct\x123\n\x06fields\x18\x01 \x03(\x0b2#.google.proto'
    b'buf.Struct.FieldsEntry\x1aE\n\x0bFieldsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12%\n\x05value\x18\x02 \x01(\x0b2\x16.google.proto'
    b'buf.Value:\x028\x01"\xea\x01\n\x05Value\x120\n\nnull_value\x18\x01 \x01(\x0e2\x1a.google.protobuf.NullValueH\x00\x12\x16\n\x0cnum'
    b'ber_value\x18\x02 \x01(\x01H\x00\x12\x16\n\x0cstring_value\x18\x03 \x01(\tH\x00\x12\x14\n\nbool_value\x18\x04 \x01(\x08H\x00\x12/\n\x0cstruct_value\x18'
    b'\x05 \x01(\x0b2\x17.google.protobuf.StructH\x00\x120\n\nlist_value\x18\x06 \x01(\x0b2\x1a.google.protobuf.ListValue'
    b'H\x00B\x06\n\x04kind"3\n\tListValue\x12&\n\x06values\x18\x01 \x03(\x0b2\x16.google.protobuf.Value*\x1b\n\tNullValue\x12\x0e\n\n'
    b'NULL_VALUE\x10\x00b\x06proto3\nV\n\x17google/rpc/status.proto\x12\ngoogle.rpc"\'\n\x06Status\x12\x0c\n\x04code\x18\x01 '
    b'\x01(\x05\x12\x0f\n\x07message\x18\x02 \x01(\tb\x06proto3\n\xf9\x06\n)envoy/service/auth/v3/external_auth.proto\x12\x15envo'
    b'y.service.auth.v3\x1a\x1fenvoy/config/core/v3/base.proto\x1a-envoy/service/auth/v3/attrib'
    b'ute_context.proto\x1a\x1fenvoy/type/v3/http_status.proto\x1a\x1cgoogle/protobuf/struct.proto'
    b'\x1a\x17google/rpc/status.proto"K\n\x0cCheckRequest\x12;\n\nattributes\x18\x01 \x01(\x0b2\'.envoy.service.au'
    b'th.v3.AttributeContext"\x87\x01\n\x12DeniedHttpResponse\x12)\n\x06status\x18\x01 \x01(\x0b2\x19.envoy.type.v3.Ht'
    b"tpStatus\x128\n\x07headers\x18\x02 \x03(\x0b2'.envoy.config.core.v3.HeaderValueOption\x12\x0c\n\x04body\x18\x03 \x01(\t"
    b'"\xaf\x01\n\x0eOkHttpResponse\x128\n\x07headers\x18\x02 \x03(\x0b2\'.envoy.config.core.v3.HeaderValueOption\x12\x19\n'
    b"\x11headers_to_remove\x18\x05 \x03(\t\x12H\n\x17response_headers_to_add\x18\x06 \x03(\x0b2'.envoy.config.core.v3"
    b'.HeaderValueOption"\xfb\x01\n\rCheckResponse\x12"\n\x06status\x18\x01 \x01(\x0b2\x12.google.rpc.Status\x12D\n\x0fdeni'
    b'ed_response\x18\x02 \x01(\x0b2).envoy.service.auth.v3.DeniedHttpResponseH\x00\x12<\n\x0bok_response\x18\x03 '
    b'\x01(\x0b2%.envoy.service.auth.v3.OkHttpResponseH\x00\x121\n\x10dynamic_metadata\x18\x04 \x01(\x0b2\x17.google.'
    b'protobuf.StructB\x0f\n\rhttp_responseb\x06proto3\n\xc7\x03\n\x1fenvoy/config/core/v3/node.proto\x12\x14en'
    b'voy.config.core.v3"\xbd\x01\n\x04Node\x12\n\n\x02id\x18\x01 \x01(\t\x12\x0f\n\x07cluster\x18\x02 \x01(\t\x12\x17\n\x0fuser_agent_name\x18\x06 \x01('
    b'\t\x12\x1c\n\x12user_agent_version\x18\x07 \x01(\tH\x00\x12F\n\x18user_agent_build_version\x18\x08 \x01(\x0b2".envoy.config'
    b'.core.v3.BuildVersionH\x00B\x19\n\x17user_agent_version_type"\xa1\x01\n\x0cBuildVersion\x12C\n\x07version\x18\x01'
    b' \x01(\x0b22.envoy.config.core.v3.BuildVersion.SemanticVersion\x1aL\n\x0fSemanticVersion\x12\x14\n\x0cm'
    b'ajor_number\x18\x01 \x01(\r\x12\x14\n\x0cminor_number\x18\x02 \x01(\r\x12\r\n\x05patch\x18\x03 \x01(\r""\n\x0cControlPlane\x12\x12\n\nidenti'
    b'fier\x18\x01 \x01(\tb\x06proto3\n\\\n\x19google/protobuf/any.proto\x12\x0fgoogle.protobuf"&\n\x03Any\x12\x10\n\x08type_'
    b'url\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\x0cb\x06proto3\n\xe3\t\n*envoy/service/discovery/v3/discovery.proto\x12'
    b'\x1aenvoy.service.discovery.v3\x1a\x1fenvoy/config/core/v3/node.proto\x1a\x19google/protobuf/an'
    b'y.proto\x1a\x17google/rpc/status.proto"\xbe\x01\n\x10DiscoveryRequest\x12\x14\n\x0cversion_info\x18\x01 \x01(\t\x12(\n\x04n'
    b'ode\x18\x02 \x01(\x0b2\x1a.envoy.config.core.v3.Node\x12\x16\n\x0eresource_names\x18\x03 \x03(\t\x12\x10\n\x08type_url\x18\x04 \x01(\t\x12'
    b'\x16\n\x0eresponse_nonce\x18\x05 \x01(\t\x12(\n\x0cerror_detail\x18\x06 \x01(\x0b2\x12.google.rpc.Status"\xae\x01\n\x11DiscoveryR'
    b"esponse\x12\x14\n\x0cversion_info\x18\x01 \x01(\t\x12'\n\tresources\x18\x02 \x03(\x0b2\x14.google.protobuf.Any\x12\x10\n\x08type_u"
    b'rl\x18\x04 \x01(\t\x12\r\n\x05nonce\x18\x05 \x01(\t\x129\n\rcontrol_plane\x18\x06 \x01(\x0b2".envoy.config.core.v3.ControlPla'
    b'ne"\x8e\x03\n\x15DeltaDiscoveryRequest\x12(\n\x04node\x18\x01 \x01(\x0b2\x1a.envoy.config.core.v3.Node\x12\x10\n\x08type_u'
    b'rl\x18\x02 \x01(\t\x12 \n\x18resource_names_subscribe\x18\x03 \x03(\t\x12"\n\x1aresource_names_unsubscribe\x18\x04 \x03(\t\x12q'
    b'\n\x19initial_resource_versions\x18\x05 \x03(\x0b2N.envoy.service.discovery.v3.DeltaDiscoveryReq'
    b'uest.InitialResourceVersionsEntry\x12\x16\n\x0eresponse_nonce\x18\x06 \x01(\t\x12(\n\x0cerror_detail\x18\x07 \x01(\x0b2'
    b'\x12.google.rpc.Status\x1a>\n\x1cInitialResourceVersionsEntry\x12\x0b\n\x03key\x18\x01 \x01(\t\x12\r\n\x05value\x18\x02 \x01(\t:'
    b'\x028\x01"\xe5\x01\n\x16DeltaDiscoveryResponse\x12\x1b\n\x13system_version_info\x18\x01 \x01(\t\x127\n\tresources\x18\x02 \x03(\x0b2$'
    b'.envoy.service.discovery.v3.Resource\x12\x10\n\x08type_url\x18\x04 \x01(\t\x12\r\n\x05nonce\x18\x05 \x01(\t\x12\x19\n\x11removed'
    b'_resources\x18\x06 \x03(\t\x129\n\rcontrol_plane\x18\x07 \x01(\x0b2".envoy.config.core.v3.ControlPlane"Q\n\x08R'
    b'esource\x12\x0f\n\x07version\x18\x01 \x01(\t\x12&\n\x08resource\x18\x02 \x01(\x0b2\x14.google.protobuf.Any\x12\x0c\n\x04name\x18\x03 \x01(\tb\x06'
    b'proto3\n\x88\x02\n\x1bgrpc/health/v1/health.proto\x12\x0egrpc.health.v1"%\n\x12HealthCheckRequest\x12\x0f\n\x07'
    b'service\x18\x01 \x01(\t"\xa9\x01\n\x13HealthCheckResponse\x12A\n\x06status\x18\x01 \x01(\x0e21.grpc.health.v1.HealthChe'
    b'ckResponse.ServingStatus"O\n\rServingStatus\x12\x0b\n\x07UNKNOWN\x10\x00\x12\x0b\n\x07SERVING\x10\x01\x12\x0f\n\x0bNOT_SERVI'
    b'NG\x10\x02\x12\x13\n\x0fSERVICE_UNKNOWN\x10\x03b\x06proto3'
)
_POOL = DescriptorPool()
for _file in FileDescriptorSet.FromString(_SCHEMA).file:
    _POOL.AddSerializedFile(_file.SerializeToString())

Pipe = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.Pipe"))
SocketAddress = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.SocketAddress"))
Address = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.Address"))
HeaderValue = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.HeaderValue"))
HeaderValueOption = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.HeaderValueOption"))
HeaderMap = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.HeaderMap"))
Timestamp = GetMessageClass(_POOL.FindMessageTypeByName("google.protobuf.Timestamp"))
AttributeContext = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.auth.v3.AttributeContext"))
HttpStatus = GetMessageClass(_POOL.FindMessageTypeByName("envoy.type.v3.HttpStatus"))
Struct = GetMessageClass(_POOL.FindMessageTypeByName("google.protobuf.Struct"))
Value = GetMessageClass(_POOL.FindMessageTypeByName("google.protobuf.Value"))
ListValue = GetMessageClass(_POOL.FindMessageTypeByName("google.protobuf.ListValue"))
Status = GetMessageClass(_POOL.FindMessageTypeByName("google.rpc.Status"))
CheckRequest = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.auth.v3.CheckRequest"))
DeniedHttpResponse = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.auth.v3.DeniedHttpResponse"))
OkHttpResponse = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.auth.v3.OkHttpResponse"))
CheckResponse = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.auth.v3.CheckResponse"))
Node = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.Node"))
BuildVersion = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.BuildVersion"))
ControlPlane = GetMessageClass(_POOL.FindMessageTypeByName("envoy.config.core.v3.ControlPlane"))
Any = GetMessageClass(_POOL.FindMessageTypeByName("google.protobuf.Any"))
DiscoveryRequest = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.discovery.v3.DiscoveryRequest"))
DiscoveryResponse = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.discovery.v3.DiscoveryResponse"))
DeltaDiscoveryRequest = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.discovery.v3.DeltaDiscoveryRequest"))
DeltaDiscoveryResponse = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.discovery.v3.DeltaDiscoveryResponse"))
Resource = GetMessageClass(_POOL.FindMessageTypeByName("envoy.service.discovery.v3.Resource"))
HealthCheckRequest = GetMessageClass(_POOL.FindMessageTypeByName("grpc.health.v1.HealthCheckRequest"))
HealthCheckResponse = GetMessageClass(_POOL.FindMessageTypeByName("grpc.health.v1.HealthCheckResponse"))
